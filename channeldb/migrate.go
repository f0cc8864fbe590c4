package channeldb

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// step is one migration, run in one transaction. Steps are only ever appended.
// What a version of the program wrote is kept as golden files in testdata.
type step struct {
	name string
	// minReader is set when programs before this schema can no longer read the file.
	minReader uint64
	run       func(w *write) error
	// part is in place of run when one transaction would be too large: it is called, each
	// time in a transaction of its own, until it reports that all is done. It must find in
	// the file how far it came, also when a crash was between.
	part func(w *write) (done bool, err error)
}

// steps lead from an empty file to the schema of this program: its number is how
// many there are.
var steps = []step{
	{name: "make the buckets", minReader: 1, run: makeBuckets},
	{name: "keep blobs for peers", run: makeBuckets},
	{name: "find invoices by their secrets", minReader: 3, run: indexSecrets},
	{name: "keep what users wish of sweeps", run: makeBuckets},
	{name: "page through lists from any place", minReader: 5, part: indexLists},
	{name: "keep accounts, watched keys and families of keys", run: makeBuckets},
	{name: "keep what was spent of budgets", run: makeBuckets},
	{name: "keep how steady peers are, and changes of our announcement", run: keepSelf},
}

// makeBuckets makes those that are not there. A later step that adds a kind of row
// runs it again.
func makeBuckets(w *write) error {
	for b := inMeta; b < numBuckets; b++ {
		if _, err := w.tx.CreateBucketIfNotExists([]byte(b.String())); err != nil {
			return fmt.Errorf("make bucket %v: %w", b, err)
		}
	}
	return nil
}

// indexSecrets enters every invoice. A program that does not know of the index would
// leave out those that it adds.
func indexSecrets(w *write) error {
	if err := makeBuckets(w); err != nil {
		return err
	}
	type entry struct{ secret, hash [32]byte }
	var found []entry // keys walks what does not change
	for hash := range w.keys(inInvoices, nil) {
		row, err := w.get(inInvoices, hash)
		if err != nil {
			return err
		}
		inv, err := decodeInvoice(hash, row)
		if err != nil {
			return err
		}
		if !inv.Keysend {
			found = append(found, entry{inv.Secret, inv.Hash})
		}
	}
	// In order: bbolt keeps what a transaction adds to an empty bucket in one list, and
	// what goes in between moves all that is behind it.
	slices.SortFunc(found, func(a, b entry) int { return bytes.Compare(a.secret[:], b.secret[:]) })
	for i := range found {
		if err := w.put(inInvoiceSecrets, found[i].secret[:], found[i].hash[:]); err != nil {
			return err
		}
	}
	return nil
}

// checkMeta refuses a file that is not ours, before anything is changed. fresh is
// a file in which nothing was ever written.
func (db *DB) checkMeta(steps []step) (fresh bool, err error) {
	err = db.bolt.View(func(tx *bolt.Tx) error {
		if tx.Bucket([]byte(inMeta.String())) == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("the file has a bucket %q and no %q: it is not a database of fulgur", name, inMeta)
			}
			fresh = true
			return nil
		}
		row, err := (&reader{tx}).get(inMeta, metaKey)
		if err != nil {
			return err
		}
		m, err := decodeMeta(row)
		if err != nil {
			return err
		}
		return db.refuse(m, uint64(len(steps)))
	})
	return fresh, err
}

func (db *DB) refuse(m meta, ours uint64) error {
	if m.genesis != db.opts.Genesis {
		return fmt.Errorf("the database is of the network with genesis block %v, and this node runs on %v: "+
			"choose that network, or another data directory", m.genesis, db.opts.Genesis)
	}
	if m.minReader > ours {
		return fmt.Errorf("the database has schema %d, which programs from schema %d on can read, and this one has %d: %w",
			m.schema, m.minReader, ours, ErrNewer)
	}
	return nil
}

// migrate runs the steps that the file has not seen.
func (db *DB) migrate(steps []step) error {
	for n := range steps {
		for done := false; !done; {
			err := db.update(func(w *write) (err error) {
				done, err = db.migrateBy(w, &steps[n], uint64(n))
				return err
			})
			if err != nil && err != errDone {
				return fmt.Errorf("migrate to schema %d (%s): %w", n+1, steps[n].name, err)
			}
		}
	}
	return nil
}

// migrateBy runs a step that leads from schema n, or a part of it.
func (db *DB) migrateBy(w *write, s *step, n uint64) (done bool, err error) {
	m := meta{genesis: db.opts.Genesis}
	if w.bucket(inMeta) != nil {
		if m, err = w.meta(); err != nil {
			return false, err
		}
	}
	if m.schema > n {
		return true, errDone
	}
	if done = true; s.part != nil {
		done, err = s.part(w)
	} else {
		err = s.run(w)
	}
	if err != nil {
		return false, err
	}
	if done {
		m.schema = n + 1
	}
	m.minReader = max(m.minReader, s.minReader) // from the first part on: the file is in between
	return done, w.setMeta(m)
}

// errDone says that a step was run before.
var errDone = fmt.Errorf("done before")
