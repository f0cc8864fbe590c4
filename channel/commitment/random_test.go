package commitment

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// scene is a random commitment with both of its sides.
type scene struct {
	owner, other *party
	params       *Params
	number       uint64
	spec         Spec
	preimages    map[htlc.Ref]*lnwire.Preimage
}

// drawScene makes a spec that the funder can pay for, of any format. Amounts keep
// close to where trimming happens.
func drawScene(t *rapid.T, maxHTLCs int) *scene {
	seed := rapid.Uint64().Draw(t, "seed")
	s := &scene{
		owner:     seededParty(seed),
		other:     seededParty(seed + 1),
		number:    rapid.Uint64Range(0, MaxNumber).Draw(t, "number"),
		preimages: map[htlc.Ref]*lnwire.Preimage{},
	}
	s.params = &Params{
		Format:        rapid.SampledFrom([]Format{StaticRemoteKey, Anchors}).Draw(t, "format"),
		Funding:       wire.OutPoint{Hash: chainhash.HashH([]byte{byte(seed)}), Index: uint32(seed % 3)},
		OwnerIsFunder: rapid.Bool().Draw(t, "owner funds"),
		Owner:         s.owner.base, Other: s.other.base,
		DustLimit:   lnwire.Sat(rapid.Uint64Range(354, 3000).Draw(t, "dust")),
		ToSelfDelay: rapid.Uint16Range(1, 2016).Draw(t, "delay"),
	}
	s.spec.FeeRate = lnwire.SatPerKW(rapid.Uint32Range(253, 5000).Draw(t, "rate"))
	var total lnwire.MilliSat
	for i := range rapid.IntRange(0, maxHTLCs).Draw(t, "htlcs") {
		h := s.drawHTLC(t, uint64(i))
		total += h.Amount
		s.spec.HTLCs = append(s.spec.HTLCs, h)
	}
	funder := s.params.Cost(s.spec).MilliSat() + lnwire.MilliSat(rapid.Uint64Range(0, 5_000_000).Draw(t, "funder"))
	fundee := lnwire.MilliSat(rapid.Uint64Range(0, 5_000_000).Draw(t, "fundee"))
	// The total must be whole satoshis; one main output at least.
	funder += (1000 - (total+funder+fundee)%1000) + s.params.DustLimit.MilliSat()
	s.params.Capacity = (total + funder + fundee).Sat()
	s.spec.ToOwner, s.spec.ToOther = fundee, funder
	if s.params.OwnerIsFunder {
		s.spec.ToOwner, s.spec.ToOther = funder, fundee
	}
	return s
}

// drawHTLC draws from few amounts, hashes and expiries, so that equal ones are common.
func (s *scene) drawHTLC(t *rapid.T, id uint64) HTLC {
	offered := rapid.Bool().Draw(t, "offered")
	edge := s.params.DustLimit + HTLCFee(s.params.Format, s.spec.FeeRate, offered)
	sat := edge - 1 + lnwire.Sat(rapid.Uint64Range(0, 3).Draw(t, "above edge"))
	preimage := lnwire.Preimage{rapid.ByteRange(0, 2).Draw(t, "preimage")}
	h := HTLC{
		Ref:     htlc.Ref{ChanNum: 1, Dir: htlc.Incoming, ID: id},
		Offered: offered,
		Amount:  sat.MilliSat() + lnwire.MilliSat(rapid.Uint64Range(0, 999).Draw(t, "msat")),
		Expiry:  lnwire.Height(rapid.Uint32Range(499_999_990, 499_999_992).Draw(t, "expiry")),
		Hash:    preimage.Hash(),
	}
	if rapid.Bool().Draw(t, "early") {
		h.Expiry -= 499_999_980
	}
	if offered {
		h.Ref.Dir = htlc.Outgoing
	}
	s.preimages[h.Ref] = &preimage
	return h
}

func (s *scene) secret() lnwire.Secret { return SecretFromRoot(s.owner.root, s.number) }

func (s *scene) build(t tb) *Commitment {
	return mustBuild(t, s.params, s.number, s.owner.point(s.number), s.spec)
}
