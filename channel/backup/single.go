package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Version says which kind of channel a Single is of.
type Version byte

// The versions of lnd. Those that we have no channels of are read and written, not
// restored.
const (
	VersionLegacy          Version = 0
	VersionStaticRemoteKey Version = 1
	VersionOldAnchors      Version = 2
	VersionAnchors         Version = 3
	VersionLease           Version = 4
	VersionTaprootStaging  Version = 5
	VersionTapscript       Version = 6
	VersionTaproot         Version = 7

	numVersions Version = 8
	// withCloseTx is set on a version byte when the commitment follows.
	withCloseTx Version = 1 << 7
)

func (v Version) taproot() bool {
	return v == VersionTaprootStaging || v == VersionTapscript || v == VersionTaproot
}

// Single is the backup of one channel.
type Single struct {
	Version   Version
	Funder    bool
	Chain     chainhash.Hash // genesis
	Funding   wire.OutPoint
	SCID      lnwire.ShortChannelID // before the confirmation: the height of the opening, at index 0 and output 0
	Peer      lnwire.PubKey
	Addresses []lnwire.Address
	Capacity  lnwire.Sat
	OurDelay  uint16 // blocks that we wait for our own output
	Keys      commitment.KeyLocs
	PeerDelay uint16
	PeerKeys  commitment.Basepoints
	// RootPoint is set in old backups of lnd, whose root of revocation has no place.
	RootPoint *lnwire.PubKey
	Expiry    lnwire.Height // of a lease
	Close     *CloseTx      // nil: none
}

// CloseTx is our last commitment, unsigned, with the peer's signature: lnd adds it
// for tools. It may be out of date, and so must never be published by a node.
type CloseTx struct {
	Tx     *wire.MsgTx
	Sig    []byte
	Number uint64         // taproot only
	Root   chainhash.Hash // VersionTapscript only
}

// maxSingle is what the length in front of a Single can say.
const maxSingle = 1<<16 - 1

// append writes the single behind b: version, length, body.
func (s *Single) append(b []byte) ([]byte, error) {
	if s.Version >= numVersions {
		return nil, fmt.Errorf("backup of %v: unknown version %d", s.Funding, s.Version)
	}
	body, err := s.body()
	if err != nil {
		return nil, fmt.Errorf("backup of %v: %w", s.Funding, err)
	}
	if len(body) > maxSingle {
		return nil, fmt.Errorf("backup of %v: %d bytes, at most %d fit", s.Funding, len(body), maxSingle)
	}
	version := s.Version
	if s.Close != nil {
		version |= withCloseTx
	}
	b = append(b, byte(version))
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...), nil
}

// places are the keys of ours in the order of the form, before the root.
func places(l *commitment.KeyLocs) [5]*commitment.KeyLoc {
	return [5]*commitment.KeyLoc{&l.Funding, &l.Revocation, &l.Payment, &l.Delayed, &l.HTLC}
}

func points(p *commitment.Basepoints) [5]*lnwire.PubKey {
	return [5]*lnwire.PubKey{&p.Funding, &p.Revocation, &p.Payment, &p.Delayed, &p.HTLC}
}

func (s *Single) body() (b []byte, err error) {
	be := binary.BigEndian
	if s.Funding.Index > 1<<16-1 {
		return nil, errors.New("funding output index above 65535")
	}
	b = append(b, 0)
	if s.Funder {
		b[0] = 1
	}
	b = append(append(b, s.Chain[:]...), s.Funding.Hash[:]...)
	b = be.AppendUint16(b, uint16(s.Funding.Index))
	b = be.AppendUint64(b, uint64(s.SCID))
	b = append(b, s.Peer[:]...)
	var addresses []byte
	for _, a := range s.Addresses {
		if addresses, err = lnwire.AppendAddress(addresses, a); err != nil {
			return nil, err
		}
	}
	b = append(be.AppendUint16(b, uint16(len(addresses))), addresses...)
	b = be.AppendUint64(b, uint64(s.Capacity))
	b = be.AppendUint16(b, s.OurDelay)
	for _, k := range places(&s.Keys) {
		b = be.AppendUint32(be.AppendUint32(b, k.Family), k.Index)
	}
	b = be.AppendUint16(b, s.PeerDelay)
	for _, p := range points(&s.PeerKeys) {
		b = append(b, p[:]...)
	}
	var root lnwire.PubKey
	if s.RootPoint != nil {
		root = *s.RootPoint
	}
	b = append(b, root[:]...)
	b = be.AppendUint32(be.AppendUint32(b, s.Keys.Root.Family), s.Keys.Root.Index)
	if s.Version == VersionLease {
		b = be.AppendUint32(b, uint32(s.Expiry))
	}
	if s.Close == nil {
		return b, nil
	}
	return s.Close.append(b, s.Version)
}

func (c *CloseTx) append(b []byte, v Version) ([]byte, error) {
	w := bytes.NewBuffer(b)
	if err := c.Tx.Serialize(w); err != nil {
		return nil, err
	}
	b = binary.BigEndian.AppendUint16(w.Bytes(), uint16(len(c.Sig)))
	b = append(b, c.Sig...)
	if v.taproot() {
		b = binary.BigEndian.AppendUint64(b, c.Number)
	}
	if v == VersionTapscript {
		b = append(b, c.Root[:]...)
	}
	return b, nil
}
