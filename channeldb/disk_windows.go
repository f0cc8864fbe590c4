package channeldb

import "golang.org/x/sys/windows"

// freeBytes is what the disk of a folder has left for us.
func freeBytes(dir string) (free uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}

// mapSize: here a file would be made as large as its mapping.
const mapSize = 0

// canReplace says that an open file can be given another's name.
const canReplace = false

// syncDir makes a rename durable: this system does it by itself.
func syncDir(string) error { return nil }
