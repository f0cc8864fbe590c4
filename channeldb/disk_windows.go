package channeldb

import "golang.org/x/sys/windows"

// DiskRoom is what the disk of a folder has left for us, and what it holds in all.
func DiskRoom(dir string) (free, size uint64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, &size, nil)
	return free, size, err
}

// mapSize: here a file would be made as large as its mapping.
const mapSize = 0

// canReplace says that an open file can be given another's name.
const canReplace = false

// syncDir makes a rename durable: this system does it by itself.
func syncDir(string) error { return nil }
