package invoice

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// A blinded path in an invoice (bLIP 39): the sums, the first path key, and its nodes, of
// which the first stands with its real id.
const (
	payInfoLen     = 4 + 4 + 2 + 8 + 8 + 2 // up to the length of the features
	maxBlindedHops = 7
)

// blindedBytes writes a path as the field's data.
//
// B11.blind.1: fees, delta, bounds, features, path key, and at most 7 nodes with their
// data behind a length that is as short as it goes.
func blindedBytes(p *onion.PaymentPath) ([]byte, error) {
	if len(p.Hops) == 0 || len(p.Hops) > maxBlindedHops {
		return nil, fmt.Errorf("blinded path: %d nodes, want 1 to %d", len(p.Hops), maxBlindedHops)
	}
	if p.FirstNode.IsZero() {
		return nil, errors.New("blinded path: its first node is not known")
	}
	b := binary.BigEndian.AppendUint32(nil, p.FeeBase)
	b = binary.BigEndian.AppendUint32(b, p.FeePPM)
	b = binary.BigEndian.AppendUint16(b, p.CLTVDelta)
	b = binary.BigEndian.AppendUint64(b, uint64(p.HTLCMinimum))
	b = binary.BigEndian.AppendUint64(b, uint64(p.HTLCMaximum))
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Features)))
	b = append(append(b, p.Features...), p.PathKey[:]...)
	b = append(b, byte(len(p.Hops)))
	for i, h := range p.Hops {
		id := h.NodeID
		if i == 0 {
			id = p.FirstNode
		}
		b = lnwire.AppendBigSize(append(b, id[:]...), uint64(len(h.Data)))
		b = append(b, h.Data...)
	}
	return b, nil
}

// readBlinded reads the field's data. Nothing is allocated before its bytes are there.
//
// B11.blind.2: a path that is cut off, has bytes behind it, or keys that are no points,
// makes the invoice invalid.
func readBlinded(b []byte) (p onion.PaymentPath, err error) {
	if len(b) < payInfoLen {
		return p, errors.New("blinded path: cut off")
	}
	p.FeeBase, p.FeePPM = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	p.CLTVDelta = binary.BigEndian.Uint16(b[8:])
	p.HTLCMinimum = lnwire.MilliSat(binary.BigEndian.Uint64(b[10:]))
	p.HTLCMaximum = lnwire.MilliSat(binary.BigEndian.Uint64(b[18:]))
	n := int(binary.BigEndian.Uint16(b[26:]))
	if b = b[payInfoLen:]; n > len(b) {
		return p, errors.New("blinded path: features are cut off")
	}
	if n > 0 {
		p.Features = append(lnwire.Features{}, b[:n]...)
	}
	b = b[n:]
	if !takeKey(&p.PathKey, &b) || len(b) == 0 {
		return p, errors.New("blinded path: no path key")
	}
	const least = 33 + 1
	count := int(b[0])
	if b = b[1:]; count == 0 || count*least > len(b) {
		return p, fmt.Errorf("blinded path: %d nodes in %d bytes", count, len(b))
	}
	p.Hops = make([]onion.BlindedHop, count)
	for i := range p.Hops {
		if !takeKey(&p.Hops[i].NodeID, &b) {
			return p, fmt.Errorf("blinded path: node %d has no key", i)
		}
		size, rest, err := lnwire.ReadBigSize(b)
		if err != nil || size > uint64(len(rest)) {
			return p, fmt.Errorf("blinded path: data of node %d are cut off", i)
		}
		p.Hops[i].Data, b = append([]byte{}, rest[:size]...), rest[size:]
	}
	if len(b) > 0 {
		return p, fmt.Errorf("blinded path: %d bytes behind it", len(b))
	}
	p.FirstNode = p.Hops[0].NodeID
	return p, nil
}

// takeKey takes a public key off the front of b.
func takeKey(to *lnwire.PubKey, b *[]byte) bool {
	if len(*b) < len(to) {
		return false
	}
	copy(to[:], *b)
	*b = (*b)[len(to):]
	_, err := to.Parse()
	return err == nil
}
