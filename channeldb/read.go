package channeldb

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bounds of one read transaction: an open one keeps pages from being used again,
// and can make the writer wait.
const (
	maxReadRows = 1000
	maxReadTime = 50 * time.Millisecond
)

// reader reads rows in one transaction. What it gives is valid only in it.
type reader struct{ tx *bolt.Tx }

// view runs f in a read transaction. What bbolt finds wrong with the file comes out
// as an error.
func (db *DB) view(f func(*reader) error) error { return viewOf(db.bolt, f) }

func viewOf(b *bolt.DB, f func(*reader) error) error {
	return guard(func() error {
		return b.View(func(tx *bolt.Tx) error { return f(&reader{tx}) })
	})
}

// guard turns a panic about the file into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read database: %v: %w", p, ErrDamaged)
		}
	}()
	return f()
}

func (r *reader) bucket(b bucket) *bolt.Bucket { return r.tx.Bucket([]byte(b.String())) }

// get gives a row, or nil.
func (r *reader) get(b bucket, key []byte) ([]byte, error) {
	value := r.bucket(b).Get(key)
	if value == nil {
		return nil, nil
	}
	return unseal(b, key, value)
}

// seek gives the first key at or after key, or nil.
func (r *reader) seek(b bucket, key []byte) (k, v []byte) { return r.bucket(b).Cursor().Seek(key) }

// prefix calls f for each row with the prefix, in one transaction: for what is
// bounded by the protocol and must be consistent.
func (r *reader) prefix(b bucket, prefix []byte, f func(key, row []byte) error) error {
	c := r.bucket(b).Cursor()
	for k, v := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, v = c.Next() {
		row, err := unseal(b, k, v)
		if err != nil {
			return err
		}
		if err := f(k, row); err != nil {
			return err
		}
	}
	return nil
}

// scan calls f for each row from key from on until it returns false. It takes as
// many transactions as it needs; f must keep nothing that it is given.
func (db *DB) scan(b bucket, from []byte, f func(key, row []byte) (bool, error)) error {
	return db.walk(b, from, false, f)
}

// scanBack is scan downwards, from the last key that is not above from; nil: from
// the last of all.
func (db *DB) scanBack(b bucket, from []byte, f func(key, row []byte) (bool, error)) error {
	return db.walk(b, from, true, f)
}

func (db *DB) walk(b bucket, from []byte, back bool, f func(key, row []byte) (bool, error)) error {
	for skip := false; ; skip = true {
		last, err := db.page(b, from, back, skip, f)
		if err != nil || last == nil {
			return err
		}
		from = last
	}
}

// page reads some rows and gives the last key; nil at the end.
func (db *DB) page(b bucket, from []byte, back, skip bool, f func(key, row []byte) (bool, error)) (last []byte, err error) {
	err = db.view(func(r *reader) error {
		c := r.bucket(b).Cursor()
		step := c.Next
		k, v := c.Seek(from)
		if back {
			step = c.Prev
			if from == nil {
				k, v = c.Last()
			} else if k == nil {
				k, v = c.Last()
			} else if string(k) > string(from) {
				k, v = c.Prev()
			}
		}
		if skip && k != nil && string(k) == string(from) {
			k, v = step()
		}
		start := time.Now()
		for rows := 0; k != nil; k, v = step() {
			row, err := unseal(b, k, v)
			if err != nil {
				return err
			}
			more, err := f(k, row)
			if err != nil || !more {
				return err
			}
			if rows++; rows >= maxReadRows || rows%64 == 0 && time.Since(start) > maxReadTime {
				last = append([]byte{}, k...)
				return nil
			}
		}
		return nil
	})
	return last, err
}

// each calls f for 0 to n-1, a bounded number of them in each transaction.
func (db *DB) each(n int, f func(r *reader, i int) error) error {
	for i := 0; i < n; {
		err := db.view(func(r *reader) error {
			start := time.Now()
			for rows := 0; i < n && rows < maxReadRows && (rows%64 != 0 || time.Since(start) < maxReadTime); rows++ {
				if err := f(r, i); err != nil {
					return err
				}
				i++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
