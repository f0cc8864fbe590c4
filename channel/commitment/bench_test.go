package commitment

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// benchScene is an anchor commitment with n HTLCs, half of them each way.
func benchScene(n int) (owner, other *party, p *Params, s Spec) {
	owner, other = seededParty(1), seededParty(2)
	p = &Params{
		Format: Anchors, Funding: wire.OutPoint{Hash: chainhash.HashH([]byte("bench"))}, Capacity: 16_000_000,
		OwnerIsFunder: true, Owner: owner.base, Other: other.base, DustLimit: 354, ToSelfDelay: 144,
	}
	s = Spec{FeeRate: 2500, ToOwner: 8_000_000_000, ToOther: 8_000_000_000}
	for i := range n {
		h := HTLC{
			Ref: htlc.Ref{ChanNum: 1, Dir: htlc.Direction(i % 2), ID: uint64(i / 2)}, Offered: i%2 == 1,
			Amount: lnwire.MilliSat(1_000_000 + 1000*(i*7919%5000)), Expiry: lnwire.Height(800_000 + i%200),
			Hash: lnwire.Preimage{byte(i), byte(i >> 8)}.Hash(),
		}
		if h.Offered {
			s.ToOwner -= h.Amount
		} else {
			s.ToOther -= h.Amount
		}
		s.HTLCs = append(s.HTLCs, h)
	}
	return owner, other, p, s
}

func eachSize(b *testing.B, run func(b *testing.B, owner, other *party, p *Params, s Spec, keys Keys)) {
	for _, n := range []int{0, 50, 483} {
		owner, other, p, s := benchScene(n)
		keys, err := DeriveKeys(p.Owner, p.Other, owner.point(0))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("htlcs=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, owner, other, p, s, keys)
		})
	}
}

func BenchmarkDeriveKeys(b *testing.B) {
	owner, _, p, _ := benchScene(0)
	point := owner.point(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DeriveKeys(p.Owner, p.Other, point); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBuild is the transaction and all HTLC transactions, keys given.
func BenchmarkBuild(b *testing.B) {
	eachSize(b, func(b *testing.B, _, _ *party, p *Params, s Spec, keys Keys) {
		for b.Loop() {
			if _, err := BuildWith(p, 0, keys, s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSignJobs is Build and what is to be signed, without signing.
func BenchmarkSignJobs(b *testing.B) {
	eachSize(b, func(b *testing.B, _, other *party, p *Params, s Spec, keys Keys) {
		for b.Loop() {
			c, err := BuildWith(p, 0, keys, s)
			if err != nil {
				b.Fatal(err)
			}
			c.SignJobs(other.locs)
		}
	})
}

// BenchmarkSign is all that commitment_signed costs its sender, on one core.
func BenchmarkSign(b *testing.B) {
	eachSize(b, func(b *testing.B, owner, other *party, p *Params, s Spec, _ Keys) {
		point := owner.point(0)
		for b.Loop() {
			c, err := Build(p, 0, point, s)
			if err != nil {
				b.Fatal(err)
			}
			other.signAll(c.SignJobs(other.locs))
		}
	})
}

// BenchmarkVerify is all that commitment_signed costs its receiver, on one core.
func BenchmarkVerify(b *testing.B) {
	eachSize(b, func(b *testing.B, owner, other *party, p *Params, s Spec, keys Keys) {
		point := owner.point(0)
		c, err := BuildWith(p, 0, keys, s)
		if err != nil {
			b.Fatal(err)
		}
		sigs := other.signAll(c.SignJobs(other.locs))
		for b.Loop() {
			c, err := Build(p, 0, point, s)
			if err != nil {
				b.Fatal(err)
			}
			checks, ok := c.Checks(sigs[0], sigs[1:])
			if !ok {
				b.Fatal("refused")
			}
			for _, check := range checks {
				if !verify(check) {
					b.Fatal("wrong signature")
				}
			}
		}
	})
}
