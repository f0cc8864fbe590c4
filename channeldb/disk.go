package channeldb

import "path/filepath"

// statfs measures the disk of a folder; tests fill it.
var statfs = func(dir string) (uint64, error) {
	free, _, err := DiskRoom(dir)
	return free, err
}

// Low reports that the disk has less than Options.FreeFloor left, as of the last
// write or CheckDisk: take no new work.
func (db *DB) Low() bool { return db.low.Load() }

// CheckDisk measures again: call it now and then while nothing is written.
func (db *DB) CheckDisk() bool {
	db.checkDisk()
	return db.Low()
}

// checkDisk keeps the last answer when the system gives none.
func (db *DB) checkDisk() {
	if db.opts.FreeFloor == 0 {
		return
	}
	ask := db.opts.Free
	if ask == nil {
		ask = statfs
	}
	free, err := ask(filepath.Dir(db.path))
	if err != nil {
		return
	}
	low := free < db.opts.FreeFloor
	if db.low.Swap(low) != low && db.opts.OnLow != nil {
		db.opts.OnLow(low)
	}
}
