package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ErrShort is the cause when bytes are missing.
var ErrShort = errors.New("it ends too early")

// reader takes fields off the front; after the first failure all are zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = ErrShort
	}
	if r.err != nil {
		return make([]byte, min(n, 64))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) fixed(dst []byte) { copy(dst, r.take(len(dst))) }
func (r *reader) u8() byte         { return r.take(1)[0] }
func (r *reader) u16() uint16      { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32      { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64      { return binary.BigEndian.Uint64(r.take(8)) }

// point takes a key, which must lie on the curve.
func (r *reader) point(what string) (p lnwire.PubKey) {
	r.fixed(p[:])
	if r.err == nil {
		if _, err := p.Parse(); err != nil {
			r.err = fmt.Errorf("%s: %w", what, err)
		}
	}
	return p
}

// ParseSingle reads the plaintext of one channel's backup.
func ParseSingle(plain []byte) (Single, error) {
	r := reader{b: plain}
	s := r.single()
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return Single{}, fmt.Errorf("read backup: %w", r.err)
	}
	return s, nil
}

// single takes version, length and body.
func (r *reader) single() (s Single) {
	version := Version(r.u8())
	s.Version = version &^ withCloseTx
	size := int(r.u16())
	body := reader{b: r.take(size), err: r.err}
	if body.err == nil && s.Version >= numVersions {
		body.err = fmt.Errorf("unknown version %d", s.Version)
	}
	body.body(&s)
	if version&withCloseTx != 0 {
		s.Close = body.closeTx(s.Version)
	}
	if body.err == nil && len(body.b) > 0 {
		body.err = fmt.Errorf("%d bytes too many in a channel", len(body.b))
	}
	r.err = body.err
	return s
}

func (r *reader) body(s *Single) {
	s.Funder = r.u8() != 0
	r.fixed(s.Chain[:])
	r.fixed(s.Funding.Hash[:])
	s.Funding.Index = uint32(r.u16())
	s.SCID = lnwire.ShortChannelID(r.u64())
	s.Peer = r.point("node id")
	s.Addresses = r.addresses()
	s.Capacity = lnwire.Sat(r.u64())
	if r.err == nil && s.Capacity > lnwire.MaxSat {
		r.err = fmt.Errorf("capacity of %d sat", s.Capacity)
	}
	s.OurDelay = r.u16()
	for _, k := range places(&s.Keys) {
		k.Family, k.Index = r.u32(), r.u32()
	}
	s.PeerDelay = r.u16()
	for _, p := range points(&s.PeerKeys) {
		*p = r.point("key of the peer")
	}
	if root := (lnwire.PubKey)(r.take(33)); root != (lnwire.PubKey{}) {
		s.RootPoint = &root
	}
	s.Keys.Root.Family, s.Keys.Root.Index = r.u32(), r.u32()
	if s.Version == VersionLease {
		s.Expiry = lnwire.Height(r.u32())
	}
}

// addresses takes the list; one that nobody can dial is left out.
func (r *reader) addresses() (list []lnwire.Address) {
	b := r.take(int(r.u16()))
	for r.err == nil && len(b) > 0 {
		a, usable, rest, err := lnwire.ReadAddress(b)
		if err != nil {
			r.err = err
			return nil
		}
		if usable {
			list = append(list, a)
		}
		b = rest
	}
	return list
}

func (r *reader) closeTx(v Version) *CloseTx {
	if r.err != nil {
		return nil
	}
	c := &CloseTx{Tx: new(wire.MsgTx)}
	from := bytes.NewReader(r.b)
	if err := c.Tx.Deserialize(from); err != nil {
		r.err = fmt.Errorf("commitment: %w", err)
		return nil
	}
	r.b = r.b[len(r.b)-from.Len():]
	c.Sig = bytes.Clone(r.take(int(r.u16())))
	if v.taproot() {
		c.Number = r.u64()
	}
	if v == VersionTapscript {
		r.fixed(c.Root[:])
	}
	return c
}

// ParseMulti reads the plaintext of the backup of all channels. What follows the last
// channel is padding.
func ParseMulti(plain []byte) ([]Single, error) {
	r := reader{b: plain}
	if v := r.u8(); r.err == nil && v != 0 {
		return nil, fmt.Errorf("read backup: unknown version %d of a whole backup", v)
	}
	var list []Single
	for left := r.u32(); left > 0 && r.err == nil; left-- {
		list = append(list, r.single())
	}
	if r.err != nil {
		return nil, fmt.Errorf("read backup: channel %d: %w", len(list), r.err)
	}
	return list, nil
}
