package channel

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
)

// Rows is everything that is stored of one channel. Lists are in ascending
// order: HTLCs and Onions by Ref, Revoked by N. A machine
// does not keep the revoked states: it asks for them by Effects.Load.
type Rows struct {
	Terms    *Terms
	Core     *Core
	Policy   *Policy
	Fundings []FundingTx
	Local    *LocalCommit
	HTLCs    []htlc.HTLC
	Onions   []OnionRow
	Revoked  []Revoked
	Secrets  *commitment.ShaChain
	Closed   *ClosedRow
}

// Apply is what a store does with a delta, in memory: the model that the reload
// law is stated with. It does not change rows. The outbox, attempts and riders
// belong to no single channel and are left out.
func Apply(rows Rows, d Delta) Rows {
	if d.Terms != nil {
		rows.Terms = d.Terms
	}
	if d.Core != nil {
		rows.Core = d.Core
	}
	if d.Policy != nil {
		rows.Policy = d.Policy
	}
	if d.Local != nil {
		rows.Local = d.Local
	}
	if d.Closed != nil {
		rows.Closed = d.Closed
	}
	if d.Forget {
		return Rows{Closed: rows.Closed}
	}
	rows.Fundings = slices.Clone(rows.Fundings)
	for _, f := range d.Fundings {
		rows.Fundings = upsert(rows.Fundings, f, func(f FundingTx) [36]byte { return outPointKey(f.OutPoint) })
	}
	rows.HTLCs = merge(rows.HTLCs, d.HTLCs, d.GoneHTLCs, func(h htlc.HTLC) htlc.Ref { return h.Ref })
	rows.Onions = merge(rows.Onions, d.Onions, d.GoneOnions, func(o OnionRow) htlc.Ref { return o.Ref })
	rows.Revoked = append(slices.Clip(rows.Revoked), d.Revoked...)
	if d.Secrets != nil {
		rows.Secrets = d.Secrets
	}
	return rows
}

// merge puts and deletes rows by Ref and keeps them in order.
func merge[T any](list, put []T, gone []htlc.Ref, key func(T) htlc.Ref) []T {
	out := slices.Clone(list)
	for _, v := range put {
		out = upsert(out, v, key)
	}
	out = slices.DeleteFunc(out, func(v T) bool { return slices.Contains(gone, key(v)) })
	slices.SortFunc(out, func(a, b T) int { return compareRefs(key(a), key(b)) })
	return out
}

func compareRefs(a, b htlc.Ref) int {
	return cmp.Or(cmp.Compare(a.ChanNum, b.ChanNum), cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.ID, b.ID))
}

// outPointKey is a comparable form for lists by outpoint.
func outPointKey(op wire.OutPoint) (k [36]byte) {
	copy(k[:], op.Hash[:])
	binary.BigEndian.PutUint32(k[32:], op.Index)
	return k
}
