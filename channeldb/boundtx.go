package channeldb

import "encoding/binary"

// boundedTx walks a serialised transaction and reports that no count or length in
// it promises more than there is, so that reading it allocates no more than a
// small multiple of its length.
func boundedTx(b []byte) bool {
	w := txWalk{b: b, ok: true}
	w.skip(4) // version
	witness := len(w.b) > 1 && w.b[0] == 0 && w.b[1] != 0
	if witness {
		w.skip(2)
	}
	inputs := w.count(41)
	for range inputs {
		w.skip(36)
		w.skip(w.count(1))
		w.skip(4)
	}
	for range w.count(9) {
		w.skip(8)
		w.skip(w.count(1))
	}
	for i := uint64(0); witness && i < inputs && w.ok; i++ {
		for range w.count(1) {
			w.skip(w.count(1))
		}
	}
	w.skip(4) // lock time
	return w.ok && len(w.b) == 0
}

type txWalk struct {
	b  []byte
	ok bool
}

func (w *txWalk) skip(n uint64) {
	if n > uint64(len(w.b)) {
		w.ok, w.b = false, nil
		return
	}
	w.b = w.b[n:]
}

// count reads a number of things that take at least size bytes each.
func (w *txWalk) count(size uint64) (n uint64) {
	if len(w.b) == 0 {
		w.ok = false
		return 0
	}
	width := map[byte]int{0xfd: 2, 0xfe: 4, 0xff: 8}[w.b[0]]
	if len(w.b) < 1+width {
		w.ok, w.b = false, nil
		return 0
	}
	var le [8]byte
	if width == 0 {
		le[0] = w.b[0]
	}
	copy(le[:], w.b[1:1+width])
	w.b = w.b[1+width:]
	if n = binary.LittleEndian.Uint64(le[:]); n > uint64(len(w.b))/size {
		w.ok, w.b = false, nil
		return 0
	}
	return n
}
