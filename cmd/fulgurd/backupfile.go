package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fulgur-ln/fulgur/rpc/atomicfile"
)

// backupFile is node.BackupFile: the file channel.backup.
type backupFile struct{ path string }

// Load reads it; nil when it is not there.
func (f backupFile) Load() ([]byte, error) {
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save replaces it, synced, with its name.
func (f backupFile) Save(sealed []byte) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(f.path, sealed, 0o600)
}

// SetAside renames it to a name with the time.
func (f backupFile) SetAside() (string, error) {
	name := f.path + "." + time.Now().UTC().Format("20060102T150405.000")
	return name, os.Rename(f.path, name)
}
