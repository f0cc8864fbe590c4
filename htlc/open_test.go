package htlc

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// nodeKey is the key of a node in tests.
type nodeKey struct{ *btcec.PrivateKey }

func newKey(fill byte) nodeKey {
	var b [32]byte
	for i := range b {
		b[i] = fill
	}
	k, _ := btcec.PrivKeyFromBytes(b[:])
	return nodeKey{k}
}

func (k nodeKey) id() lnwire.PubKey { return lnwire.NewPubKey(k.PubKey()) }

func (k nodeKey) ECDH(p *btcec.PublicKey) ([32]byte, error) {
	var in, out btcec.JacobianPoint
	p.AsJacobian(&in)
	btcec.ScalarMultNonConst(&k.Key, &in, &out)
	out.ToAffine()
	return sha256.Sum256(btcec.NewPublicKey(&out.X, &out.Y).SerializeCompressed()), nil
}

var (
	bob, carol, dave = newKey(2), newKey(3), newKey(4)
	hash             = lnwire.Hash{9}
	noon             = time.Unix(1_700_000_000, 0).UTC()
)

// pathEnd is what the end of a blinded path is told.
type pathEnd struct {
	amount, total lnwire.MilliSat
	expiry        lnwire.Height
}

// paymentHops are the hops of a payment along a path. The first node, unless it was entered already, is addressed
// by its own id.
func paymentHops(t require.TestingT, p onion.BlindedPath, end pathEnd) []onion.Hop {
	hops := make([]onion.Hop, len(p.Hops))
	for i, h := range p.Hops {
		payload := onion.Payload{EncryptedRecipientData: append([]byte{}, h.Data...)}
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

// payment is an onion over bob and carol to dave, with dummies behind him, and its path.
func payment(t *testing.T, dummies int, change func(hops []onion.Hop)) (onion.Packet, []lnwire.Secret, onion.PaymentPath) {
	t.Helper()
	path, err := onion.BlindPayment(newKey(0x51).PrivateKey, onion.PathTerms{
		Us: dave.id(), Dummies: dummies, PathID: make([]byte, 32), FinalDelta: 18, LastHeight: 1000,
		Hops: []onion.PathHop{
			{Node: bob.id(), SCID: 1, Relay: onion.PaymentRelay{CLTVDelta: 40, FeeBase: 1000}},
			{Node: carol.id(), SCID: 2, Relay: onion.PaymentRelay{CLTVDelta: 30, FeePPM: 100}},
		},
	})
	require.NoError(t, err)
	hops := paymentHops(t, path.BlindedPath, pathEnd{100_000, 100_000, 900})
	if change != nil {
		change(hops)
	}
	packet, secrets, err := onion.Build(newKey(0x52).PrivateKey, hops, hash[:])
	require.NoError(t, err)
	return packet, secrets, path
}

// at is the HTLC as it stands at a node.
func at(k nodeKey, packet onion.Packet, amount lnwire.MilliSat, expiry lnwire.Height, pathKey *lnwire.PubKey) Locked {
	return Locked{
		HTLC:   HTLC{Amount: amount, Expiry: expiry, Hash: hash, PathKey: pathKey},
		Opened: Open(k, k.id(), &packet, hash, pathKey), Onion: &packet,
	}
}

// B4.blind.9, B4.bfwd.1, B4.bfinal.4: a payment travels over its introduction node and the one behind
// it to the end, whatever dummies stand there.
func TestBlindedPaymentTravels(t *testing.T) {
	for dummies := range 3 {
		packet, _, path := payment(t, dummies, nil)
		amount := 100_000 + path.Fee(100_000)
		l := at(bob, packet, amount, 900+lnwire.Height(path.CLTVDelta), nil)
		require.Equal(t, onion.Introduction, l.Place())
		f, fail, why := l.Onwards()
		require.Nil(t, fail, why)
		require.Equal(t, lnwire.ShortChannelID(1), f.SCID)

		l = at(carol, l.Opened.Next, f.Amount, f.Expiry, f.PathKey)
		require.Equal(t, onion.Inside, l.Place())
		f, fail, why = l.Onwards()
		require.Nil(t, fail, why)
		_, ours, _ := l.Ours()
		require.NotNil(t, ours, "it is not for carol")

		l = at(dave, l.Opened.Next, f.Amount, f.Expiry, f.PathKey)
		require.True(t, l.Opened.Final)
		require.Len(t, l.Opened.Blinded.Dummies, dummies)
		final, fail, why := l.Ours()
		require.Nil(t, fail, why)
		require.Equal(t, onion.Final{Amount: 100_000, Expiry: 900, Total: 100_000, Blinded: true, Secret: &lnwire.Secret{}}, final)
		_, fail, _ = l.Onwards()
		require.NotNil(t, fail)
	}
}

// B4.blind.3, B4.blind.9, B4.pay.7: path keys where they do not belong, none where one does, and data
// for somebody else.
func TestOpenRefuses(t *testing.T) {
	packet, _, path := payment(t, 0, nil)
	stranger := newKey(0x61).id()
	l := at(bob, packet, 200_000, 1000, &stranger)
	require.NotNil(t, l.Opened.Bad, "the onion is not for the id that this path key gives")
	require.EqualValues(t, onion.InvalidOnionBlinding, l.Opened.Bad.Code)

	packet, _, _ = payment(t, 0, func(hops []onion.Hop) { // without its path key
		hops[0].Payload, _ = onion.Payload{EncryptedRecipientData: path.Hops[0].Data}.Encode()
	})
	l = at(bob, packet, 200_000, 1000, nil)
	require.NotNil(t, l.Opened.Invalid)
	require.Equal(t, onion.Introduction, l.Place())

	packet, _, _ = payment(t, 0, func(hops []onion.Hop) { // carol's data
		hops[0].Payload, _ = onion.Payload{EncryptedRecipientData: path.Hops[1].Data, CurrentPathKey: &path.PathKey}.Encode()
	})
	l = at(bob, packet, 200_000, 1000, nil)
	require.NotNil(t, l.Opened.Invalid)

	packet, _, _ = payment(t, 0, func(hops []onion.Hop) { // a path key and nothing that it opens
		hops[0].Payload, _ = onion.Payload{CurrentPathKey: &path.PathKey}.Encode()
	})
	l = at(bob, packet, 200_000, 1000, nil)
	require.Equal(t, onion.Introduction, l.Place())
	_, fail, _ := l.Onwards()
	require.NotNil(t, fail)

	packet, _, _ = payment(t, 0, func(hops []onion.Hop) { // carol is given two path keys
		hops[1].Payload, _ = onion.Payload{EncryptedRecipientData: path.Hops[1].Data, CurrentPathKey: &path.PathKey}.Encode()
	})
	l = at(bob, packet, 200_000, 1000, nil)
	f, fail, why := l.Onwards()
	require.Nil(t, fail, why)
	l = at(carol, l.Opened.Next, f.Amount, f.Expiry, f.PathKey)
	require.NotNil(t, l.Opened.Invalid)
	require.Equal(t, onion.Inside, l.Place())

	packet, _, _ = payment(t, 0, func(hops []onion.Hop) { // carol has no data at all
		scid, amount, expiry := lnwire.ShortChannelID(2), lnwire.MilliSat(1), lnwire.Height(1)
		hops[1].Payload, _ = onion.Payload{ShortChannelID: &scid, AmtToForward: &amount, OutgoingCLTV: &expiry}.Encode()
	})
	l = at(bob, packet, 200_000, 1000, nil)
	f, _, _ = l.Onwards()
	l = at(carol, l.Opened.Next, f.Amount, f.Expiry, f.PathKey)
	_, fail, _ = l.Onwards()
	require.NotNil(t, fail)
	packet, _, _ = payment(t, 0, nil)
	bad := packet
	bad[700] ^= 1
	require.NotNil(t, Open(bob, bob.id(), &bad, hash, nil).Bad)
}

// B4.blind.2, B4.blind.10: what the origin hears of a fault, by the place of who has it.
func TestFaultsOfBlindedPaths(t *testing.T) {
	packet, secrets, _ := payment(t, 0, nil)
	first := at(bob, packet, 200_000, 1000, nil)
	f, _, _ := first.Onwards()
	second := at(carol, first.Opened.Next, f.Amount, f.Expiry, f.PathKey)
	inside := second.Fault().With(onion.Failure{Code: onion.TemporaryChannelFailure}, noon)
	require.Equal(t, Resolution{Kind: Malformed, OnionSHA256: sha256.Sum256(second.Onion[:]), Code: uint16(onion.InvalidOnionBlinding)}, inside)

	for _, r := range []Resolution{
		inside, {Kind: Failed, Reason: make([]byte, 292)}, {Kind: TimedOut},
		{Kind: Malformed, Code: uint16(onion.InvalidOnionHMAC)},
	} {
		require.Equal(t, inside, second.Fault().Passed(r, noon))
		back := first.Fault().Passed(r, noon)
		require.Equal(t, Failed, back.Kind)
		hop, fail, ok := onion.DecodeFailure(secrets, back.Reason)
		require.True(t, ok)
		require.Zero(t, hop)
		require.Equal(t, onion.Failure{Code: onion.InvalidOnionBlinding, OnionSHA256: sha256.Sum256(packet[:])}, fail)
	}
	own := first.Fault().With(onion.Failure{Code: onion.FeeInsufficient}, noon)
	_, fail, ok := onion.DecodeFailure(secrets, own.Reason)
	require.True(t, ok)
	require.Equal(t, onion.InvalidOnionBlinding, fail.Code)

	outside := Locked{Opened: Opened{Secret: secrets[0]}}
	_, fail, _ = onion.DecodeFailure(secrets, outside.Fault().With(onion.Failure{Code: onion.FeeInsufficient}, noon).Reason)
	require.Equal(t, onion.FeeInsufficient, fail.Code)
	_, fail, _ = onion.DecodeFailure(secrets, outside.Fault().Passed(Resolution{Kind: TimedOut}, noon).Reason)
	require.Equal(t, onion.PermanentChannelFailure, fail.Code)
}

// FuzzOpen gives a node that stands in a blinded path any payload and any data.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{10, 0}, []byte{1, 0}, true)
	f.Add([]byte{2, 1, 1, 4, 1, 1, 18, 1, 1, 10, 0}, []byte{6, 1, 1}, false)
	f.Fuzz(func(t *testing.T, payload, data []byte, more bool) {
		if len(payload) < 2 || len(payload) > 600 || len(data) > 300 {
			return
		}
		path, err := onion.Blind(newKey(5).PrivateKey, []onion.PathNode{{Node: bob.id(), Data: data}})
		require.NoError(t, err)
		p, fail := onion.DecodePayload(payload)
		if fail == nil && p.EncryptedRecipientData != nil {
			p.EncryptedRecipientData = path.Hops[0].Data
			if payload, err = p.Encode(); err != nil {
				return
			}
		}
		hops := []onion.Hop{{PubKey: path.Hops[0].NodeID, Payload: payload}}
		if more {
			hops = append(hops, onion.Hop{PubKey: carol.id(), Payload: []byte{0, 0}})
		}
		packet, _, err := onion.Build(newKey(6).PrivateKey, hops, hash[:])
		if err != nil {
			return
		}
		l := at(bob, packet, 1000, 1000, &path.PathKey)
		require.Equal(t, onion.Inside, l.Place())
		fwd, fail, _ := l.Onwards()
		if fail == nil {
			require.LessOrEqual(t, fwd.Amount, lnwire.MilliSat(1000))
		}
		_, _, _ = l.Ours()
		require.Equal(t, Malformed, l.Fault().With(onion.Failure{}, noon).Kind)
	})
}
