package commitment

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Format is the kind of a channel's commitments (channel_type). The numbers are
// stored.
type Format uint8

const (
	// StaticRemoteKey: option_static_remotekey alone.
	StaticRemoteKey Format = 1
	// Anchors: option_anchors, HTLC transactions without fees.
	Anchors Format = 2
)

// Basepoints are one side's static keys of a channel (BOLT 3).
type Basepoints struct {
	Funding    lnwire.PubKey
	Revocation lnwire.PubKey
	Payment    lnwire.PubKey
	Delayed    lnwire.PubKey
	HTLC       lnwire.PubKey
}

// KeyLoc names a private key of this node without touching it.
type KeyLoc struct {
	Family uint32
	Index  uint32
}

// KeyLocs are where our own keys of a channel lie. Root is the root of our
// per-commitment secrets.
type KeyLocs struct {
	Funding, Revocation, Payment, Delayed, HTLC, Root KeyLoc
}

// Params are what is fixed for one side's commitments of one funding. The owner
// is the side that can publish them, the other the side that signs them.
type Params struct {
	Format        Format
	Funding       wire.OutPoint
	Capacity      lnwire.Sat
	OwnerIsFunder bool
	Owner, Other  Basepoints
	DustLimit     lnwire.Sat // the owner's dust_limit_satoshis
	ToSelfDelay   uint16     // the delay that the other imposes on the owner
}

// HTLC is an HTLC as a commitment sees it.
type HTLC struct {
	Ref     htlc.Ref
	Offered bool // by the owner of the commitment
	Amount  lnwire.MilliSat
	Expiry  lnwire.Height
	Hash    lnwire.Hash
}

// Spec is what one commitment holds; every transaction follows from it. The
// balances are before the funder pays the commitment's fee and anchors.
type Spec struct {
	FeeRate lnwire.SatPerKW
	ToOwner lnwire.MilliSat
	ToOther lnwire.MilliSat
	HTLCs   []HTLC
}

// SignJob asks for one signature of ours. The private key is that of Key, changed
// by at most one of Tweak and Revocation.
type SignJob struct {
	Key KeyLoc
	// Tweak is added to the private key: SHA256(per_commitment_point || basepoint).
	Tweak *[32]byte
	// Revocation is the revoked per-commitment secret with which the key, then a
	// revocation basepoint's, is blended into the revocation key.
	Revocation *lnwire.Secret
	Digest     [32]byte
}

// Check asks whether Sig by Key covers Digest.
type Check struct {
	Key    lnwire.PubKey
	Digest [32]byte
	Sig    lnwire.Sig
}

// HTLCSigHash is the sighash type of the other side's signature in an HTLC
// transaction (BOLT 3).
func (f Format) HTLCSigHash() txscript.SigHashType {
	if f == Anchors {
		return txscript.SigHashSingle | txscript.SigHashAnyOneCanPay
	}
	return txscript.SigHashAll
}
