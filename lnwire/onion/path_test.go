package onion

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// B4.path.1, B4.path.2, B4.data.1, B4.data.3, B4.blind.4: the spec's route of two parts, made
// and taken apart again, with unknown records and with lengths that padding made equal.
func TestVectorRouteIsMade(t *testing.T) {
	type hop struct {
		SessionKey string `json:"session_key"`
		NodeID     string `json:"node_id"`
		Encoded    string `json:"encoded_tlvs"`
		PathKey    string `json:"path_key"`
		Encrypted  string `json:"encrypted_data"`
		Blinded    string `json:"blinded_node_id"`
	}
	var v struct {
		Generate struct {
			Hops []hop `json:"hops"`
		} `json:"generate"`
		Unblind struct {
			Hops []struct {
				Key       string `json:"node_privkey"`
				PathKey   string `json:"path_key"`
				Decrypted string `json:"decrypted_data"`
				Next      string `json:"next_path_key"`
				Override  string `json:"next_path_key_override"`
			} `json:"hops"`
		} `json:"unblind"`
	}
	readVector(t, "route-blinding-test.json", &v)
	for i, h := range v.Generate.Hops {
		if h.SessionKey == "" {
			continue // it follows from the one before
		}
		part := v.Generate.Hops[i : i+2]
		var nodes []PathNode
		for _, n := range part {
			d, err := DecodeRecipientData(unhex(t, n.Encoded))
			require.NoError(t, err)
			b, err := d.Encode()
			require.NoError(t, err)
			require.Equal(t, n.Encoded, hex.EncodeToString(b))
			nodes = append(nodes, PathNode{pubOf(t, n.NodeID), b})
		}
		path, err := Blind(keyOf(unhex(t, h.SessionKey)).PrivateKey, nodes)
		require.NoError(t, err)
		require.Equal(t, h.PathKey, path.PathKey.String())
		require.Equal(t, h.NodeID, path.FirstNode.String())
		for k, n := range part {
			require.Equal(t, n.Blinded, path.Hops[k].NodeID.String())
			require.Equal(t, n.Encrypted, hex.EncodeToString(path.Hops[k].Data))
		}
	}
	for i, u := range v.Unblind.Hops {
		b, err := Unblind(keyOf(unhex(t, u.Key)), pubOf(t, u.PathKey))
		require.NoError(t, err)
		encrypted := unhex(t, v.Generate.Hops[i].Encrypted)
		plain, ok := b.Open(encrypted)
		require.True(t, ok)
		require.Equal(t, u.Decrypted, hex.EncodeToString(plain))
		require.Equal(t, u.Next, b.Next.String())
		d, err := b.OpenData(encrypted)
		require.NoError(t, err)
		if want := u.Override; want != "" {
			require.Equal(t, want, d.Next(b).String())
		} else {
			require.Equal(t, u.Next, d.Next(b).String())
		}
		encrypted[0] ^= 1
		_, err = b.OpenData(encrypted)
		require.ErrorIs(t, err, ErrBadData)
	}
}

// B4.bfwd.1: the spec's payment over a path with an override in it. The
// payer's hops are the vector's, and each node finds amounts and expiries as they should be.
func TestVectorBlindedPaymentHops(t *testing.T) {
	var v struct {
		Generate struct {
			Amount uint64 `json:"final_amount_msat"`
			CLTV   uint32 `json:"final_cltv"`
			Info   struct {
				Base  uint32 `json:"fee_base_msat"`
				PPM   uint32 `json:"fee_proportional_millionths"`
				Delta uint16 `json:"cltv_expiry_delta"`
			} `json:"blinded_payinfo"`
			Route struct {
				First   string `json:"first_node_id"`
				PathKey string `json:"first_path_key"`
				Hops    []struct {
					Blinded string `json:"blinded_node_id"`
					Data    string `json:"encrypted_data"`
				} `json:"hops"`
			} `json:"blinded_route"`
			Full struct {
				Hops []vectorHop `json:"hops"`
			} `json:"full_route"`
		} `json:"generate"`
		Decrypt struct {
			Hops []struct {
				Key string `json:"node_privkey"`
			} `json:"hops"`
		} `json:"decrypt"`
	}
	readVector(t, "blinded-payment-onion-test.json", &v)
	g := v.Generate
	path := BlindedPath{FirstNode: pubOf(t, g.Route.First), PathKey: pubOf(t, g.Route.PathKey)}
	for _, h := range g.Route.Hops {
		path.Hops = append(path.Hops, BlindedHop{pubOf(t, h.Blinded), unhex(t, h.Data)})
	}
	amount, expiry := lnwire.MilliSat(g.Amount), lnwire.Height(g.CLTV)
	hops := paymentHops(t, path, pathEnd{amount, 150_000, expiry})
	require.Equal(t, hopsOf(t, g.Full.Hops[1:]), hops)

	info := PayInfo{FeeBase: g.Info.Base, FeePPM: g.Info.PPM, CLTVDelta: g.Info.Delta}
	at, until := amount+info.Fee(amount), expiry+lnwire.Height(info.CLTVDelta)
	require.EqualValues(t, 110125, at)
	pathKey := path.PathKey
	for i, h := range hops {
		b, err := Unblind(keyOf(unhex(t, v.Decrypt.Hops[i+1].Key)), pathKey)
		require.NoError(t, err)
		p, fail := DecodePayload(h.Payload)
		require.Nil(t, fail)
		data, err := b.OpenData(p.EncryptedRecipientData)
		require.NoError(t, err)
		in := Blinded{Data: data, Next: data.Next(b)}
		if i == len(hops)-1 {
			f, fail, why := p.CheckBlindedFinal(in, at, until)
			require.Nil(t, fail, why)
			require.Equal(t, Final{Amount: amount, Expiry: expiry, Total: 150_000, Blinded: true}, f)
			break
		}
		f, why := p.CheckBlindedForward(in, at, until)
		require.Empty(t, why)
		require.Equal(t, lnwire.ShortChannelID(i+1), f.SCID)
		at, until, pathKey = f.Amount, f.Expiry, *f.PathKey
	}
	require.GreaterOrEqual(t, at, amount)
	require.Equal(t, expiry, until)
}

// pathEnd is what the end of a blinded path is told.
type pathEnd struct {
	amount, total lnwire.MilliSat
	expiry        lnwire.Height
}

// paymentHops are the hops of a payment along a path. The first node, unless it was entered already, is addressed
// by its own id.
func paymentHops(t require.TestingT, p BlindedPath, end pathEnd) []Hop {
	hops := make([]Hop, len(p.Hops))
	for i, h := range p.Hops {
		payload := Payload{EncryptedRecipientData: append([]byte{}, h.Data...)}
		hops[i].PubKey = h.NodeID
		if i == 0 && !p.FirstNode.IsZero() {
			hops[i].PubKey, payload.CurrentPathKey = p.FirstNode, &p.PathKey
		}
		if i == len(p.Hops)-1 {
			payload.AmtToForward, payload.OutgoingCLTV, payload.TotalAmount = &end.amount, &end.expiry, &end.total
		}
		var err error
		hops[i].Payload, err = payload.Encode()
		require.NoError(t, err)
	}
	return hops
}

// terms of a path of n nodes and d dummies.
func drawTerms(t *rapid.T, keys []*nodeKey) PathTerms {
	terms := PathTerms{
		Us: keys[len(keys)-1].pub(), Dummies: rapid.IntRange(0, 3).Draw(t, "dummies"), PathID: make([]byte, 32),
		FinalDelta: rapid.Uint16Max(200).Draw(t, "final"), LastHeight: 800_000,
		HTLCMinimum: lnwire.MilliSat(rapid.Uint64Max(1000).Draw(t, "min")), HTLCMaximum: 1e12,
	}
	for i, k := range keys[:len(keys)-1] {
		terms.Hops = append(terms.Hops, PathHop{
			Node: k.pub(), SCID: lnwire.ShortChannelID(i + 1), HTLCMinimum: lnwire.MilliSat(rapid.Uint64Max(2000).Draw(t, "hop min")),
			HTLCMaximum: lnwire.MilliSat(rapid.Uint64Range(1e9, 1e12).Draw(t, "hop max")),
			Relay: PaymentRelay{
				CLTVDelta: rapid.Uint16Max(300).Draw(t, "delta"), FeePPM: rapid.Uint32Max(5000).Draw(t, "ppm"),
				FeeBase: rapid.Uint32Max(3000).Draw(t, "base"),
			},
		})
	}
	return terms
}

// B4.path.3, B4.path.6, B4.path.7: what the payer computes from the sums suffices at every
// node and at the end, to a millisatoshi a node; all data have one length.
func TestPaymentPathPaysEveryNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys, _ := newRoute(rapid.IntRange(1, 5).Draw(t, "nodes"), 2)
		terms := drawTerms(t, keys)
		path, err := BlindPayment(newKey(0x77).PrivateKey, terms)
		require.NoError(t, err)
		require.Len(t, path.Hops, len(keys)+terms.Dummies)
		for _, h := range path.Hops {
			require.Len(t, h.Data, len(path.Hops[0].Data))
		}
		amount := max(lnwire.MilliSat(rapid.Uint64Range(1, 1e12).Draw(t, "amount")), path.HTLCMinimum)
		end := pathEnd{amount, amount, 799_990}
		hops := paymentHops(t, path.BlindedPath, end)
		at, until := amount+path.Fee(amount), end.expiry+lnwire.Height(path.CLTVDelta)
		pathKey := path.PathKey
		var dummies []RecipientData
		for i, h := range hops {
			key := keys[min(i, len(keys)-1)]
			b, err := Unblind(key, pathKey)
			require.NoError(t, err)
			p, fail := DecodePayload(h.Payload)
			require.Nil(t, fail)
			data, err := b.OpenData(p.EncryptedRecipientData)
			require.NoError(t, err)
			in := Blinded{Data: data, Next: data.Next(b), Dummies: dummies}
			pathKey = in.Next
			switch {
			case i == len(hops)-1:
				f, fail, why := p.CheckBlindedFinal(in, at, until)
				require.Nil(t, fail, why)
				require.Equal(t, amount, f.Amount)
				require.NotNil(t, f.Secret)
				require.Equal(t, end.expiry+lnwire.Height(terms.FinalDelta), until)
			case i >= len(keys)-1:
				require.Equal(t, terms.Us, *data.NextNode)
				dummies = append(dummies, data)
			default:
				f, why := p.CheckBlindedForward(in, at, until)
				require.Empty(t, why)
				relay := terms.Hops[i].Relay
				owed := PayInfo{FeeBase: relay.FeeBase, FeePPM: relay.FeePPM}.Fee(f.Amount)
				require.GreaterOrEqual(t, at-f.Amount+1, owed)
				at, until = f.Amount, f.Expiry
			}
		}
	})
}

// B4.blind.7, B4.blind.8, B4.bfwd.2, B4.bfwd.3, B4.bfwd.4, B4.bfwd.5, B4.bfinal.1, B4.bfinal.2,
// B4.bfinal.3, B4.bfinal.4
func TestBlindedChecks(t *testing.T) {
	scid, node, unknown := lnwire.ShortChannelID(7), newKey(1).pub(), lnwire.NewFeatures(1001)
	amount, height := lnwire.MilliSat(1000), lnwire.Height(500)
	good := func() (Payload, Blinded) {
		return Payload{EncryptedRecipientData: []byte{}}, Blinded{Data: RecipientData{
			ShortChannelID: &scid, Relay: &PaymentRelay{CLTVDelta: 40, FeeBase: 10, FeePPM: 1000},
			Constraints: &PaymentConstraints{MaxExpiry: 600, HTLCMinimum: 900}, Features: &lnwire.Features{},
		}}
	}
	p, b := good()
	f, why := p.CheckBlindedForward(b, 1000, 600)
	require.Empty(t, why)
	require.Equal(t, Forward{Amount: 990, Expiry: 560, SCID: 7, PathKey: &b.Next}, f)
	for want, change := range map[string]func(*Payload, *Blinded){
		"more than its recipient data": func(p *Payload, _ *Blinded) { p.AmtToForward = &amount },
		"neither short_channel_id":     func(_ *Payload, b *Blinded) { b.Data.ShortChannelID = nil },
		"both short_channel_id":        func(_ *Payload, b *Blinded) { b.Data.NextNode = &node },
		"no payment_relay":             func(_ *Payload, b *Blinded) { b.Data.Relay = nil },
		"behind max_cltv_expiry":       func(_ *Payload, b *Blinded) { b.Data.Constraints.MaxExpiry = 599 },
		"below htlc_minimum_msat":      func(_ *Payload, b *Blinded) { b.Data.Constraints.HTLCMinimum = 1001 },
		"allowed_features":             func(_ *Payload, b *Blinded) { b.Data.Features = &unknown },
		"below its relay fee":          func(_ *Payload, b *Blinded) { b.Data.Relay.FeeBase = 1001 },
		"fee or delta of a dummy":      func(_ *Payload, b *Blinded) { b.Dummies = []RecipientData{{Relay: &PaymentRelay{FeeBase: 1001}}} },
	} {
		p, b := good()
		change(&p, &b)
		_, why := p.CheckBlindedForward(b, 1000, 600)
		require.Contains(t, why, want)
	}
	p, b = good()
	p.Odd = true
	_, why = p.CheckBlindedForward(b, 1000, 600)
	require.NotEmpty(t, why)

	end := func() (Payload, Blinded) {
		p, b := good()
		p.AmtToForward, p.OutgoingCLTV, p.TotalAmount = &amount, &height, &amount
		b.Data.ShortChannelID, b.Data.Relay, b.Data.PathID = nil, nil, make([]byte, 32)
		return p, b
	}
	p, b = end()
	final, fail, why := p.CheckBlindedFinal(b, 1000, 500)
	require.Nil(t, fail, why)
	require.Equal(t, &lnwire.Secret{}, final.Secret)
	for want, change := range map[string]func(*Payload, *Blinded){
		"records that do not belong":    func(p *Payload, _ *Blinded) { p.PaymentData = &PaymentData{} },
		"no amt_to_forward":             func(p *Payload, _ *Blinded) { p.AmtToForward = nil },
		"no outgoing_cltv_value":        func(p *Payload, _ *Blinded) { p.OutgoingCLTV = nil },
		"no total_amount_msat":          func(p *Payload, _ *Blinded) { p.TotalAmount = nil },
		"name a next node":              func(_ *Payload, b *Blinded) { b.Data.NextNode = &node },
		"before outgoing_cltv_value":    func(p *Payload, _ *Blinded) { p.OutgoingCLTV = ptr(height + 1) },
		"less than amt_to_forward":      func(p *Payload, _ *Blinded) { p.AmtToForward = ptr(amount + 1) },
		"below htlc_minimum_msat":       func(_ *Payload, b *Blinded) { b.Data.Constraints.HTLCMinimum = 1001 },
		"max_cltv_expiry of its":        func(_ *Payload, b *Blinded) { b.Data.Constraints.MaxExpiry = 499 },
		"below the relay fee or delta":  func(_ *Payload, b *Blinded) { b.Dummies = []RecipientData{{Relay: &PaymentRelay{CLTVDelta: 501}}} },
		"a feature that we do not know": func(_ *Payload, b *Blinded) { b.Data.Features = &unknown },
	} {
		p, b := end()
		change(&p, &b)
		_, fail, why := p.CheckBlindedFinal(b, 1000, 500)
		require.NotNil(t, fail)
		require.Contains(t, why, want)
	}
	p, b = end()
	b.Data.PathID = make([]byte, 31)
	final, _, _ = p.CheckBlindedFinal(b, 1000, 500)
	require.Nil(t, final.Secret)
}

// Amounts of any size give no overflow, and the fee is never negative.
func TestOnwardsIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Make[PaymentRelay]().Draw(t, "relay")
		amount := lnwire.MilliSat(rapid.Uint64().Draw(t, "amount"))
		out, _, ok := r.Onwards(amount, 1<<20)
		if ok {
			require.LessOrEqual(t, out, amount)
		}
		info := PayInfo{FeeBase: rapid.Uint32().Draw(t, "base"), FeePPM: rapid.Uint32().Draw(t, "ppm")}
		before := info
		if info.ahead(r) {
			require.GreaterOrEqual(t, uint64(info.FeeBase), uint64(before.FeeBase))
			require.GreaterOrEqual(t, uint64(info.FeePPM), uint64(before.FeePPM))
		} else {
			require.Equal(t, before, info)
		}
		info.Fee(amount)
	})
	_, err := BlindPayment(newKey(1).PrivateKey, PathTerms{Us: newKey(2).pub(), FinalDelta: 1, Hops: []PathHop{
		{Node: newKey(3).pub(), Relay: PaymentRelay{CLTVDelta: 65535}},
	}})
	require.ErrorContains(t, err, "too large")
}

// B4.path.4, B4.path.5
func TestPathEncoding(t *testing.T) {
	keys, _ := newRoute(3, 2)
	var nodes []PathNode
	for _, k := range keys {
		nodes = append(nodes, PathNode{k.pub(), []byte{1, 0}})
	}
	path, err := Blind(newKey(9).PrivateKey, nodes)
	require.NoError(t, err)
	for _, p := range []BlindedPath{path, {FirstChannel: &ChannelEnd{SCID: 77, Second: true}, PathKey: path.PathKey, Hops: path.Hops}} {
		b, err := AppendPath(nil, p)
		require.NoError(t, err)
		back, rest, err := ReadPath(append(b, 5))
		require.NoError(t, err)
		require.Equal(t, []byte{5}, rest)
		require.Equal(t, p, back)
		for n := range b {
			_, _, err := ReadPath(b[:n])
			require.Error(t, err)
		}
	}
	b, _ := AppendPath(nil, path)
	none := append(b[:66:66], 0)
	_, _, err = ReadPath(none)
	require.ErrorContains(t, err, "no hops")
	b[0] = 4
	_, _, err = ReadPath(b)
	require.ErrorContains(t, err, "first_node_id")
	_, err = AppendPath(nil, BlindedPath{})
	require.Error(t, err)
}

// Entering a path as its first node gives what that node would hand on.
func TestEnter(t *testing.T) {
	keys, _ := newRoute(3, 2)
	path, err := MessagePath(newKey(9).PrivateKey, []lnwire.PubKey{keys[0].pub(), keys[1].pub(), keys[2].pub()}, []byte{1}, nil)
	require.NoError(t, err)
	data, rest, err := path.Enter(keys[0])
	require.NoError(t, err)
	require.Equal(t, keys[1].pub(), *data.NextNode)
	require.True(t, rest.FirstNode.IsZero())
	require.Equal(t, path.Hops[1:], rest.Hops)
	hops := paymentHops(t, rest, pathEnd{})
	require.Equal(t, rest.Hops[0].NodeID, hops[0].PubKey)
	_, _, err = path.Enter(keys[1])
	require.ErrorIs(t, err, ErrBadData)
	_, _, err = path.Enter(lostKey{})
	require.True(t, errors.Is(err, errLost))
	_, last, err := rest.Enter(keys[1])
	require.NoError(t, err)
	_, _, err = last.Enter(keys[2])
	require.ErrorContains(t, err, "ends with us")
}

// B4.path.3: equal lengths, whatever the data are.
func TestPadding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := make([]RecipientData, rapid.IntRange(1, 4).Draw(t, "n"))
		for i := range data {
			data[i].PathID = make([]byte, rapid.IntRange(0, 600).Draw(t, "id"))
		}
		all, err := pad(data)
		require.NoError(t, err)
		for i, b := range all {
			require.Len(t, b, len(all[0]))
			back, err := DecodeRecipientData(b)
			require.NoError(t, err)
			require.Equal(t, data[i].PathID, back.PathID)
		}
	})
}

// B4.data.2: each record with a byte too few and one too many, and an unknown even one (V-67).
func TestRecipientDataRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"short scid":        "0207" + "00000000000000",
		"long scid":         "0209" + "000000000000000000",
		"short node":        "0420" + hex.EncodeToString(make([]byte, 32)),
		"node is no point":  "0421" + hex.EncodeToString(make([]byte, 33)),
		"key is no point":   "0821" + hex.EncodeToString(make([]byte, 33)),
		"short relay":       "0a05" + "0000000000",
		"relay not minimal": "0a07" + "00000000000000",
		"long relay":        "0a0b" + "0000000000000101010101",
		"short constraints": "0c03" + "000000",
		"long constraints":  "0c0d" + "00000000010101010101010101",
		"unknown even":      "1000",
		"out of order":      "0e00" + "0600",
		"cut off":           "0605",
	} {
		_, err := DecodeRecipientData(unhex(t, s))
		require.ErrorIs(t, err, ErrBadData, name)
	}
	_, err := RecipientData{Extra: lnwire.ExtraTLVs{{Type: 16}}}.Encode()
	require.Error(t, err)
	_, err = RecipientData{Extra: lnwire.ExtraTLVs{{Type: 1}}}.Encode()
	require.Error(t, err)
}

func FuzzRecipientData(f *testing.F) {
	f.Add(unhex(f, "020800000000000006c10a0800240000009627100c06000b69e505dc0e00fd023103123456"))
	f.Add(unhex(f, "0101000604deadbeef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeRecipientData(b)
		if err != nil {
			return
		}
		again, err := d.Encode()
		require.NoError(t, err)
		require.Equal(t, append([]byte{}, b...), append([]byte{}, again...))
	})
}

func FuzzReadPath(f *testing.F) {
	path, err := MessagePath(newKey(9).PrivateKey, []lnwire.PubKey{newKey(1).pub(), newKey(2).pub()}, nil, nil)
	require.NoError(f, err)
	b, _ := AppendPath(nil, path)
	f.Add(b)
	f.Add(append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 9}, b[33:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, rest, err := ReadPath(b)
		if err != nil {
			return
		}
		again, err := AppendPath(nil, p)
		require.NoError(t, err)
		require.Equal(t, b[:len(b)-len(rest)], again)
	})
}
