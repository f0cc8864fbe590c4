//go:build unix

package channeldb

import (
	"os"

	"golang.org/x/sys/unix"
)

// DiskRoom is what the disk of a folder has left for us, and what it holds in all.
func DiskRoom(dir string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), uint64(s.Blocks) * uint64(s.Bsize), nil
}

// mapSize is the address space that is kept for a file: one that outgrows it must be
// mapped again, which waits for all readers. 1 GiB, or 256 MiB where addresses are
// short.
const mapSize = 1 << (28 + 2*(^uint(0)>>63))

// canReplace says that an open file can be given another's name.
const canReplace = true

// syncDir makes a rename durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
