package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// foreign are lnd's own databases, relative to its directory.
func foreign(c *config) []string {
	return []string{
		filepath.Join(c.chainDir(), "wallet.db"),
		filepath.Join(c.graphDir(), "channel.db"),
		filepath.Join(c.graphDir(), "channel.sqlite"),
		filepath.Join(c.chainDir(), "wallet.sqlite"),
		filepath.Join(c.chainDir(), "chain.sqlite"),
		filepath.Join(c.graphDir(), "lnd.sqlite"),
	}
}

// refuseForeign refuses a directory in which lnd keeps its money: two nodes with the
// same keys and different states would punish each other.
func refuseForeign(c *config) error {
	for _, path := range foreign(c) {
		_, err := os.Stat(path)
		switch {
		case err == nil:
			return fmt.Errorf("lnd's database lies here: %s\n"+
				"fulgurd cannot read it, and must never run beside or after lnd on the same keys. To move to fulgur, "+
				"close or back up lnd's channels, stop lnd for good, and restore from its seed and its channel.backup "+
				"in another directory (--fulgurdir)", path)
		case !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("look for lnd's databases: %w", err)
		}
	}
	return nil
}
