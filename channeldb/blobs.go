package channeldb

import "github.com/fulgur-ln/fulgur/lnwire"

// Blob is what a peer gave us to keep for it (BOLT 1, peer storage). We cannot read
// it.
type Blob struct {
	Peer lnwire.PubKey
	Data []byte
	// Until is set when the last channel with the peer is over: the height from which on
	// the blob may be thrown away.
	Until lnwire.Height
}

func (o *ops) blobs(b *Batch) {
	for _, blob := range b.Blobs {
		o.start(inBlobs, put)
		o.bytes(blob.Peer[:])
		o.row(1)
		o.opt(0, blob.Data)
		o.num(1, uint64(blob.Until))
		o.end()
	}
	for _, key := range b.BlobsGone {
		o.start(inBlobs, del)
		o.bytes(key[:])
		o.bare()
	}
}

func decodeBlob(key, row []byte) (b Blob, err error) {
	if len(key) != len(b.Peer) {
		return b, badKey(inBlobs, key)
	}
	b.Peer = lnwire.PubKey(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			b.Data = d.bytes()
		case 1:
			b.Until = lnwire.Height(d.u32())
		default:
			d.unknown()
		}
	}
	return b, d.end("blob")
}

// Blob reads what is kept for a peer; nil when nothing is.
func (db *DB) Blob(peer lnwire.PubKey) (blob *Blob, err error) {
	err = db.view(func(r *reader) error {
		row, err := r.get(inBlobs, peer[:])
		if err != nil || row == nil {
			return err
		}
		b, err := decodeBlob(peer[:], row)
		blob = &b
		return err
	})
	return blob, err
}

// BlobsPast names the peers whose blobs may be thrown away at a height.
func (db *DB) BlobsPast(at lnwire.Height) (past []lnwire.PubKey, err error) {
	err = db.scan(inBlobs, nil, func(key, row []byte) (bool, error) {
		b, err := decodeBlob(key, row)
		if err == nil && b.Until != 0 && b.Until <= at {
			past = append(past, b.Peer)
		}
		return true, err
	})
	return past, err
}
