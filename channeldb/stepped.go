package channeldb

// With Options.Go there are no goroutines of the database: what the writer and the
// releaser would do, in the same order, are tasks.

// summon makes a task of the next write. The caller holds mu.
func (db *DB) summon() {
	if db.opts.Go != nil && !db.stepped && !db.dead && !db.closing {
		db.stepped = true
		db.opts.Go(db.step)
	}
}

// step is the task of one write: it takes all that has gathered.
func (db *DB) step() {
	db.mu.Lock()
	db.stepped = false
	closing := db.closing
	db.mu.Unlock()
	if closing || db.isDead() {
		return
	}
	for _, w := range db.writeGroup() {
		if w.done != nil {
			db.opts.Go(func() { db.tell(w) })
		}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.wanted || db.purging {
		db.summon()
	}
}

// writeGroup writes what is queued and gives it, durable.
func (db *DB) writeGroup() []waiting {
	db.mu.Lock()
	group := db.queue
	db.queue, db.wanted, db.lazies = nil, false, 0
	db.mu.Unlock()
	if err := db.commit(group); err != nil {
		db.die(err)
		return nil
	}
	return group
}

// tell is the task of one done function.
func (db *DB) tell(w waiting) {
	if !db.isDead() {
		w.done(w.receipt())
	}
}

// last writes and tells what is left at the end.
func (db *DB) last() {
	if !db.isDead() {
		for _, w := range db.writeGroup() {
			if w.done != nil {
				db.tell(w)
			}
		}
	}
	close(db.written)
	close(db.released)
}
