package invoice

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// From lnd's zpay32 tests (MIT licence): 20 mBTC for a cup of coffee over one of two blinded paths.
const lndBlinded = "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4js5fdqqqqq2qqqqqpgqyzqqqqqqqqqqqqyqqqqqqqqqqqvsqqqqlnxy0ffrlt2y2jgtzw89kgr3zg4dlwtlfycn3yuek8x5eucnuchqps82xf0m2u6sx5wnjw7xxgnxz5kf09quqsv5zvkgj7d5kpzttp4qz7q5qsyqcyq5pzq2feycsemrh7wvendc4kw3tsmkt25a36ev6kfehrv7ecfkrp5zs9q5zqxqspqtr4avek5quzjn427asptzews5wrczfhychr2sq6ue9phmn35tjqcrspqgpsgpgxquyqjzstpsxsu59zqqqqqpqqqqqqyqq2qqqqqqqqqqqqqqqqqqqqqqqqpgqqqqk8t6endgpc99824amqzk9japgu8synwf3wx4qp4ej2r0h8rghypsqsygpf8ynzr8vwleenxdhzke69wrwed2nk8t9n2e8xudnm8pxcvxs2q5qsyqcyq5y4rdlhtf84f8rgdj34275juwls2ftxtcfh035863q3p9k6s94hpxhdmzfn5gxpsazdznxs56j4vt3fdhe00g9v2l3szher50hp4xlggqkxf77f"

func keyHex(t *testing.T, s string) lnwire.PubKey {
	k, err := lnwire.ParsePubKey(s)
	require.NoError(t, err)
	return k
}

// B11.blind.1, B11.blind.4: an invoice of lnd's, and the paths written again to the same data.
func TestLndsBlindedInvoice(t *testing.T) {
	r, err := Decode(lndBlinded)
	require.NoError(t, err)
	require.Equal(t, lnwire.Secret{}, r.Secret)
	k1 := keyHex(t, "03f3311e948feb5115242c4e396c81c448ab7ee5fd24c4e24e66c73533cc4f98b8")
	k2 := keyHex(t, "03a8c97ed5cd40d474e4ef18c899854b25e5070106504cb225e6d2c112d61a805e")
	k3 := keyHex(t, "0220293926219d8efe733336e2b674570dd96aa763acb3564e6e367b384d861a0a")
	k4 := keyHex(t, "02c75eb336a038294eaaf760158b2e851c3c0937262e35401ae64a1bee71a2e40c")
	require.Equal(t, []onion.PaymentPath{
		{
			PayInfo: onion.PayInfo{FeeBase: 40, FeePPM: 20, CLTVDelta: 130, HTLCMinimum: 2, HTLCMaximum: 100},
			BlindedPath: onion.BlindedPath{FirstNode: k2, PathKey: k1, Hops: []onion.BlindedHop{
				{NodeID: k2, Data: []byte{1, 2, 3, 4, 5}}, {NodeID: k3, Data: []byte{5, 4, 3, 2, 1}},
				{NodeID: k4, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
			}},
		},
		{
			PayInfo:     onion.PayInfo{FeeBase: 4, FeePPM: 2, CLTVDelta: 10, HTLCMaximum: 10},
			BlindedPath: onion.BlindedPath{FirstNode: k3, PathKey: k4, Hops: []onion.BlindedHop{{NodeID: k3, Data: []byte{1, 2, 3, 4, 5}}}},
		},
	}, r.Blinded)
	r.Payee, r.FinalDelta = lnwire.PubKey{}, 0
	text, err := r.Encode(specSign)
	require.NoError(t, err)
	require.Equal(t, lndBlinded, text)
}

// somePath is a blinded path to the node of the spec's key.
func somePath(t require.TestingT, id []byte) onion.PaymentPath {
	us := lnwire.NewPubKey(specKey().PubKey())
	p, err := onion.BlindPayment(specKey(), onion.PathTerms{
		Us: us, Dummies: 1, PathID: id, FinalDelta: 83, LastHeight: 1000,
		Hops: []onion.PathHop{{Node: us, SCID: 5, Relay: onion.PaymentRelay{CLTVDelta: 40}}},
	})
	require.NoError(t, err)
	return p
}

// B11.blind.3, B11.blind.5: what we write names neither secret nor delta nor hints, asks for the feature, and is
// read back.
func TestBlindedDraft(t *testing.T) {
	asked := terms()
	asked.Blinded = []onion.PaymentPath{somePath(t, teaSecret[:]), somePath(t, teaSecret[:])}
	inv, err := Draft(Regtest, asked, newWorld(t).now, specSign)
	require.NoError(t, err)
	require.True(t, inv.Blinded)
	require.Equal(t, teaSecret, inv.Secret)
	r, err := Decode(inv.Request)
	require.NoError(t, err)
	require.Equal(t, lnwire.Secret{}, r.Secret)
	require.Len(t, r.Blinded, 2)
	require.True(t, r.Features.Has(lnwire.Bolt11BlindedPathsRequired))
	require.True(t, r.Features.HasEither(lnwire.RouteBlindingOptional))
	require.EqualValues(t, DefaultFinalDelta, r.FinalDelta)
	for i, p := range r.Blinded {
		require.Equal(t, asked.Blinded[i].PayInfo, p.PayInfo)
		require.Equal(t, asked.Blinded[i].Hops[1:], p.Hops[1:])
		require.Equal(t, asked.Blinded[i].FirstNode, p.FirstNode)
	}
	for _, change := range []func(*Terms){
		func(t *Terms) { t.Private = true }, func(t *Terms) { t.Hints = []RouteHint{{{}}} }, func(t *Terms) { t.Metadata = []byte{} },
		func(t *Terms) { t.Blinded[1].Hops = nil }, func(t *Terms) { t.Blinded[1].FirstNode = lnwire.PubKey{} },
		func(t *Terms) { t.Blinded[1].Hops[1].Data = make([]byte, 700) },
	} {
		bad := asked
		bad.Blinded = []onion.PaymentPath{asked.Blinded[0], somePath(t, teaSecret[:])}
		change(&bad)
		_, err := Draft(Regtest, bad, newWorld(t).now, specSign)
		require.Error(t, err)
	}
	r.Hints = []RouteHint{{{Node: r.Payee}}}
	_, err = r.Encode(specSign)
	require.ErrorContains(t, err, "beside route hints")
}

// B11.blind.2
func TestBrokenBlindedPaths(t *testing.T) {
	p := somePath(t, nil)
	p.Features = lnwire.Features{1, 2}
	b, err := blindedBytes(&p)
	require.NoError(t, err)
	back, err := readBlinded(b)
	require.NoError(t, err)
	require.Equal(t, p.PayInfo, back.PayInfo)
	for n := range b {
		_, err := readBlinded(b[:n])
		require.Error(t, err, "%d of %d bytes", n, len(b))
	}
	_, err = readBlinded(append(b, 0))
	require.ErrorContains(t, err, "behind it")
	b[payInfoLen+2] = 9
	_, err = readBlinded(b)
	require.ErrorContains(t, err, "path key")
}

// blindedOffer is an HTLC that came over a blinded path with this path_id.
func blindedOffer(id []byte, inside bool) offer {
	o := part(10_000, 0)
	o.change = func(in *htlc.Locked) {
		in.Opened.Payload.PaymentData, in.Opened.Payload.TotalAmount = nil, in.Opened.Payload.AmtToForward
		in.Opened.Blinded = &onion.Blinded{Data: onion.RecipientData{PathID: id}}
		in.Onion = &onion.Packet{1}
		if inside {
			in.HTLC.PathKey = &lnwire.PubKey{2, 1}
		}
	}
	return o
}

// B4.bfinal.4, B4.bfinal.5, B4.blind.2: an invoice with blinded paths is paid by its path_id alone, one without
// by no path; inside a path the refusal is that of the path.
func TestPaidByABlindedPath(t *testing.T) {
	blinded := func() *world {
		w := newWorld(t)
		asked := terms()
		asked.Blinded = []onion.PaymentPath{somePath(t, teaSecret[:])}
		w.add(asked)
		return w
	}
	w := blinded()
	w.fulfilled(w.arrive(blindedOffer(teaSecret[:], true)))
	w = blinded()
	w.fulfilled(w.arrive(blindedOffer(teaSecret[:], false))) // we are the first node and the last
	for name, o := range map[string]offer{
		"no path":       part(10_000, 0),
		"wrong id":      blindedOffer(make([]byte, 32), true),
		"short id":      blindedOffer(teaSecret[:31], true),
		"no id":         blindedOffer(nil, true),
		"path key only": {hash: tea.Hash(), secret: teaSecret, amount: 10_000, change: func(in *htlc.Locked) { in.HTLC.PathKey = &lnwire.PubKey{2, 1} }},
	} {
		w := blinded()
		ref := w.arrive(o)
		if in := w.locked[ref]; in.HTLC.PathKey == nil {
			w.failed(onion.IncorrectOrUnknownPaymentDetails, ref)
			continue
		}
		require.Equal(t, htlc.Malformed, w.done[ref].Kind, name)
		require.EqualValues(t, onion.InvalidOnionBlinding, w.done[ref].Code)
	}
	w = newWorld(t)
	w.addTea()
	ref := w.arrive(blindedOffer(teaSecret[:], true))
	require.Equal(t, htlc.Malformed, w.done[ref].Kind, "an invoice without paths")
}

// Held parts of a blinded payment are given back as the path demands.
func TestBlindedSetTimesOut(t *testing.T) {
	w := newWorld(t)
	asked := terms()
	asked.Blinded = []onion.PaymentPath{somePath(t, teaSecret[:])}
	w.add(asked)
	o := blindedOffer(teaSecret[:], true)
	inner := o.change
	total := lnwire.MilliSat(10_000)
	o.amount = 4_000
	o.change = func(in *htlc.Locked) {
		inner(in)
		in.Opened.Payload.TotalAmount = &total
	}
	ref := w.arrive(o)
	require.NotContains(t, w.done, ref)
	w.step(Cancel{ID: 9, Hash: tea.Hash()})
	require.Equal(t, htlc.Malformed, w.done[ref].Kind)
}

func FuzzReadBlinded(f *testing.F) {
	p := somePath(f, teaSecret[:])
	b, err := blindedBytes(&p)
	require.NoError(f, err)
	f.Add(b)
	f.Add(append(b[:26:26], 0, 1, 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readBlinded(b)
		if err != nil || len(p.Hops) > maxBlindedHops {
			return
		}
		again, err := blindedBytes(&p)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

// A path of any shape is read back.
func TestBlindedFieldRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := somePath(t, nil)
		p.PayInfo = rapid.Make[onion.PayInfo]().Draw(t, "info")
		if len(p.Features) == 0 {
			p.Features = nil
		}
		p.Hops = p.Hops[:rapid.IntRange(1, len(p.Hops)).Draw(t, "hops")]
		b, err := blindedBytes(&p)
		require.NoError(t, err)
		back, err := readBlinded(b)
		require.NoError(t, err)
		p.Hops[0].NodeID = p.FirstNode
		require.Equal(t, p, back)
	})
}
