// Package channeldb keeps everything that must survive a crash: the rows of all
// machines, how each is coded, the migrations between versions of the file, and the
// one writer. One file per kind of row.
//
// Whatever changes goes through Queue: batches become durable in the order in which
// they were queued, each whole or not at all, and their done functions are called in
// that order. All that gathers while the disk syncs is written by the next sync. A
// write that fails ends the process: memory has run ahead and cannot be taken back.
//
// A value is a version byte, fields by ascending type (type, length, content), and
// a checksum that also covers bucket and key. A reader refuses a field of an even
// type that it does not know and passes over an odd one. Rows are rewritten whole,
// so an older version drops such an odd field: only what can be derived again may
// be odd.
//
// It must never decide anything: it knows the rows of the domain, not its rules.
//
//	db, err := channeldb.Open(path, channeldb.Options{Genesis: genesis, Fatal: die})
//	err = db.Channels(func(num uint64, rows channel.Rows) error { ... })
//	db.Queue(channeldb.Batch{Channels: []*channel.Delta{&fx.Delta}}, func(channeldb.Receipt) { release(fx) })
//	err = db.Close()
package channeldb
