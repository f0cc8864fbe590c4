package channel

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// LinkState is what the switch and the API need to know of a channel. It is
// given out whenever a turn changed it.
type LinkState struct {
	ChanNum   uint64
	ChannelID lnwire.ChannelID
	Peer      lnwire.PubKey
	Funding   wire.OutPoint
	SCID      lnwire.ShortChannelID // 0 before the funding confirmed
	Alias     lnwire.ShortChannelID // ours for the peer; 0: none
	PeerAlias lnwire.ShortChannelID // the peer's for us; 0: none
	Kind      Kind
	Capacity  lnwire.Sat
	Private   bool
	Funder    bool
	// Up: HTLCs can be added and answered now. Otherwise Why says why not.
	Up  bool
	Why string
	// Ended: no HTLC will ever be added again.
	Ended bool
	// OnChain: it lives in the chain only.
	OnChain bool
	Policy  Policy
	// Spendable is the largest amount that AddHTLC would take as far as balances,
	// fees and the limits of the peer go; Receivable the same for the peer.
	Spendable  lnwire.MilliSat
	Receivable lnwire.MilliSat
	// Minimum and Maximum bound an HTLC of ours by the peer's htlc_minimum_msat and
	// max_htlc_value_in_flight_msat.
	Minimum lnwire.MilliSat
	Maximum lnwire.MilliSat
	Ours    lnwire.MilliSat // our balance in our commitment
	Theirs  lnwire.MilliSat
}

// EndOutput is an output of a commitment in the chain, or of a transaction that spends
// one, which is ours or could become ours.
type EndOutput struct {
	Resolution
	Ref    htlc.Ref      // of the HTLC behind it; zero for a balance
	Second bool          // the output of an HTLC transaction of ours
	Expiry lnwire.Height // of the HTLC behind it; 0 for a balance
	// Mature is the first block that may hold our spend; 0: there is no way to spend it,
	// or none yet, as without the preimage of an incoming HTLC.
	Mature lnwire.Height
}

// InLimbo: it is not settled whose the output is in the end, and it can still be ours.
// Nobody waits for an anchor.
// An incoming HTLC that expires before its preimage is known is the peer's.
func (e *EndOutput) InLimbo(tip lnwire.Height) bool {
	return e.End == EndOpen && e.Kind != ResolvedAnchor && (e.Kind != ResolvedIncoming || e.Mature != 0 || tip < e.Expiry)
}

// Name is the id by which the operator knows the channel: the real one as soon as there
// is one, for a channel that was used before that the alias, which stays.
func (l *LinkState) Name() lnwire.ShortChannelID { return nameOf(l.Kind, l.SCID, l.Alias) }

// Names are the ids by which others may name the channel in an onion (B2.alias.2): the
// real one is not among them where it is a secret (B2.alias.3).
func (l *LinkState) Names() []lnwire.ShortChannelID {
	var names []lnwire.ShortChannelID
	if l.SCID != 0 && !l.Kind.ScidAlias {
		names = append(names, l.SCID)
	}
	if l.Alias != 0 {
		names = append(names, l.Alias)
	}
	return names
}

// Hint is the id by which the peer knows the channel, for route hints; 0 when there is
// none that may be told (B2.alias.4).
func (l *LinkState) Hint() lnwire.ShortChannelID {
	if l.PeerAlias != 0 || l.Kind.ScidAlias {
		return l.PeerAlias
	}
	return l.SCID
}

// Name is LinkState's.
func (i *Info) Name() lnwire.ShortChannelID {
	return nameOf(i.Terms.Kind(), i.Core.SCID, i.Terms.Alias)
}

func nameOf(k Kind, real, alias lnwire.ShortChannelID) lnwire.ShortChannelID {
	if real == 0 || k.ZeroConf {
		return alias
	}
	return real
}

// Info is a plain view of a channel for RPC and tests.
type Info struct {
	Terms  Terms
	Core   Core
	Policy Policy

	Connected bool
	// Active: connected, reestablished and open.
	Active bool
	// Quiescent: neither side sends updates. Leads: the quiescence is ours to use.
	Quiescent, Leads bool
	// Confirmations of the funding; 0 while it is not in the chain.
	Confirmations uint32
	// LocalOurs and LocalTheirs are the balances in our newest commitment before
	// fee and anchors; the Remote ones those in the peer's newest.
	LocalOurs, LocalTheirs   lnwire.MilliSat
	RemoteOurs, RemoteTheirs lnwire.MilliSat
	Rate                     lnwire.SatPerKW // of our commitment
	CommitFee                lnwire.Sat      // of our commitment
	CommitWeight             int64
	CommitTxid               chainhash.Hash // of our commitment; zero when there is none
	Spendable, Receivable    lnwire.MilliSat
	HTLCs                    []htlc.HTLC // every one in the table, incoming first
	FundingTx                *wire.MsgTx // when known
	Extern                   bool        // our channel, and somebody else publishes its funding
	Closed                   *ClosedRow
	Ends                     []EndOutput    // of a commitment in the chain: what is or could become ours
	Anchor                   *wire.OutPoint // ours of the commitment that waits to be mined; nil: none
	Rival                    chainhash.Hash // the peer's commitment that was seen unconfirmed; zero: none
	// Of a channel that ends: the peer's commitment that it has not revoked and, when it
	// owes us a revocation, the one that is to take its place. Zero: there is none.
	Theirs, TheirNext Theirs
	Now               time.Time // of the last Tick
}

// Theirs is a commitment of the peer's.
type Theirs struct {
	Txid chainhash.Hash
	Fee  lnwire.Sat
}
