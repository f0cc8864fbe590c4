package channel

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Config is what all channels of this node share. It is never changed.
type Config struct {
	Chain   chainhash.Hash // of the genesis block
	NodeID  lnwire.PubKey
	NodeKey commitment.KeyLoc // the private key of NodeID
	// MaxDustExposure bounds the HTLCs of one commitment that would go to the
	// miners if it confirmed (V-20); 0: DefaultDustExposure.
	MaxDustExposure lnwire.MilliSat
	// MaxAnchorRate bounds the fee rate that we set, as funder, for commitments
	// with anchors; 0: DefaultAnchorRate. Their fee can be bumped later.
	MaxAnchorRate lnwire.SatPerKW
	// ReportDepth is how deep a close is when it is reported; 0: by the capacity. It
	// is for test benches: nothing is forgotten earlier because of it.
	ReportDepth uint32
	// Attribution takes and gives attribution data; it is given to peers that offer
	// option_attribution_data.
	Attribution bool
	// NoAccountable passes on no accountability signal.
	NoAccountable bool
}

// Figures of policy, and of the protocol.
const (
	// DefaultDustExposure is lnd's default too.
	DefaultDustExposure lnwire.MilliSat = 500_000_000
	// DefaultAnchorRate is 10 sat/vbyte.
	DefaultAnchorRate lnwire.SatPerKW = 2500

	// largeChannel is the capacity from which on both sides must have offered
	// option_support_large_channel.
	largeChannel lnwire.Sat = 1 << 24
	// maxHTLCs is the most HTLCs that one side may have in a commitment: BOLT 2
	// keeps commitment_signed and a penalty transaction in bounds by it.
	maxHTLCs = 483
	// minDustLimit is the least dust limit at which every standard output relays.
	minDustLimit lnwire.Sat = 354
	// maxDustLimit is the highest dust limit we accept of a peer (V-20).
	maxDustLimit lnwire.Sat = 3 * minDustLimit
	// maxSelfDelay is the longest a peer may make us wait for our own money.
	maxSelfDelay uint16 = 2016
	// minAccepted is the least max_accepted_htlcs that makes a channel useful.
	minAccepted uint16 = 5
	// coinbaseDepth is when the output of a coinbase can be spent (V-15).
	coinbaseDepth uint32 = 100
	// forgetAfter is after how many blocks a fundee forgets a funding that did
	// not confirm.
	forgetAfter lnwire.Height = 2016
	// trustFor is for how many blocks a funder that is trusted may leave its funding
	// unconfirmed before no more HTLCs are taken that come over the channel; the operator
	// hears of it doubtAfter blocks, and then once in trustFor.
	trustFor   lnwire.Height = 144
	doubtAfter lnwire.Height = 6
	// announceDepth is the depth at which a channel may be announced (BOLT 7).
	announceDepth uint32 = 6
	// buriedDepth is the depth at which no reorg is expected any more: rows stay
	// until then.
	buriedDepth uint32 = 100
	// lostDepth is the depth at which an HTLC is given up that a spend of the funding
	// left nothing of.
	lostDepth uint32 = 6
	// maxExpiryAhead bounds the expiry of HTLCs, in and out (V-37).
	maxExpiryAhead lnwire.Height = 2016
	// expiryIsTime is the least cltv_expiry that Bitcoin reads as seconds.
	expiryIsTime lnwire.Height = 500_000_000

	// OfferedGrace is how many blocks behind its expiry an HTLC that we offered
	// may stay in a commitment before we go to the chain: G of BOLT 2.
	OfferedGrace lnwire.Height = 2
	// FulfilMargin is how many blocks before its expiry an HTLC that we have
	// fulfilled must be out of the commitments; else we go to the chain while
	// there is time: 2R+G+S of BOLT 2 with R=2, G=2, S=12.
	FulfilMargin lnwire.Height = 18
	// UpstreamMargin is how many blocks before an HTLC expires upstream it is failed there,
	// though what it was carried on as is not over: when it expires, that channel is closed.
	UpstreamMargin lnwire.Height = onchain.UpstreamMargin
	// MinCLTVDelta is the least cltv_expiry_delta that leaves time to bring home what
	// was paid on: 3R+2G+2S of BOLT 2 with the same figures.
	MinCLTVDelta = 34

	// maxFeeRate is an absolute bound on any fee rate a peer may set: 1000 sat/vbyte.
	maxFeeRate lnwire.SatPerKW = 250_000
	// freeFeeRate is a rate a peer may always set, whatever we estimate: 100 sat/vbyte.
	freeFeeRate lnwire.SatPerKW = 25_000
	// feeSlack is by how much a peer's rate may exceed our estimate.
	feeSlack = 10
)

func (c *Config) maxDust() lnwire.MilliSat {
	if c.MaxDustExposure == 0 {
		return DefaultDustExposure
	}
	return c.MaxDustExposure
}

func (c *Config) anchorRate() lnwire.SatPerKW {
	if c.MaxAnchorRate == 0 {
		return DefaultAnchorRate
	}
	return c.MaxAnchorRate
}
