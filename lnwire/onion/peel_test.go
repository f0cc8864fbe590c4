package onion

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// B4.peel.1, B4.peel.2, B4.peel.3, B4.code.1
func TestPeelRefuses(t *testing.T) {
	keys, hops := newRoute(3, 30)
	good, _ := mustBuild(t, hops, []byte("hash"))
	flip := func(at int) func(*Packet) { return func(p *Packet) { p[at] ^= 1 } }
	for name, c := range map[string]struct {
		spoil func(*Packet)
		key   ECDH
		assoc string
		want  Code
	}{
		"version 1":         {flip(0), keys[0], "hash", InvalidOnionVersion},
		"version 255":       {func(p *Packet) { p[0] = 255 }, keys[0], "hash", InvalidOnionVersion},
		"uncompressed key":  {func(p *Packet) { p[1] = 4 }, keys[0], "hash", InvalidOnionKey},
		"hybrid key":        {func(p *Packet) { p[1] = 6 }, keys[0], "hash", InvalidOnionKey},
		"x not on curve":    {func(p *Packet) { copy(p[1:], append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)) }, keys[0], "hash", InvalidOnionKey},
		"zero key":          {func(p *Packet) { copy(p[1:headerLen], make([]byte, 33)) }, keys[0], "hash", InvalidOnionKey},
		"other point":       {func(p *Packet) { k := newKey(99).pub(); copy(p[1:], k[:]) }, keys[0], "hash", InvalidOnionHMAC},
		"first payload bit": {flip(headerLen), keys[0], "hash", InvalidOnionHMAC},
		"last payload bit":  {flip(len(good) - macLen - 1), keys[0], "hash", InvalidOnionHMAC},
		"hmac, first byte":  {flip(len(good) - macLen), keys[0], "hash", InvalidOnionHMAC},
		"hmac, last byte":   {flip(len(good) - 1), keys[0], "hash", InvalidOnionHMAC},
		"not our layer":     {func(*Packet) {}, keys[1], "hash", InvalidOnionHMAC},
		"other hash":        {func(*Packet) {}, keys[0], "hasH", InvalidOnionHMAC},
		"no hash":           {func(*Packet) {}, keys[0], "", InvalidOnionHMAC},
	} {
		t.Run(name, func(t *testing.T) {
			packet := good
			c.spoil(&packet)
			p, bad := Peel(c.key, &packet, []byte(c.assoc))
			require.Equal(t, &BadOnion{Code: c.want, SHA256: sha256.Sum256(packet[:])}, bad)
			require.Equal(t, Peeled{}, p)
			require.True(t, bad.Code.Has(FlagBadOnion))
			require.Equal(t, Failure{Code: c.want, OnionSHA256: bad.SHA256}, bad.Failure())
		})
	}
}

// Every bit of the HMAC counts. B4.peel.3, B4.peel.4
func TestPeelComparesTheWholeHMAC(t *testing.T) {
	keys, hops := newRoute(1, 30)
	good, _ := mustBuild(t, hops, nil)
	for bit := range macLen * 8 {
		packet := good
		macOf(packet[:])[bit/8] ^= 1 << (bit % 8)
		_, bad := Peel(keys[0], &packet, nil)
		require.NotNil(t, bad)
		require.Equal(t, InvalidOnionHMAC, bad.Code)
	}
}

func TestPeelWithoutItsKey(t *testing.T) {
	_, hops := newRoute(1, 30)
	packet, _ := mustBuild(t, hops, nil)
	_, bad := Peel(lostKey{}, &packet, nil)
	require.ErrorIs(t, bad.Err, errLost)
	require.Equal(t, InvalidOnionKey, bad.Code)
}

func TestPeelUsesTheKeyOnce(t *testing.T) {
	keys, hops := newRoute(2, 30)
	packet, _ := mustBuild(t, hops, nil)
	for _, k := range keys {
		p, bad := Peel(k, &packet, nil)
		require.Nil(t, bad)
		require.Equal(t, 1, k.used)
		packet = p.Next
	}
}

// craft makes a packet for the key that is authentic and holds the given bytes in
// front of its payloads.
func craft(k *nodeKey, front []byte) *Packet {
	var packet Packet
	session := newKey(0x41)
	pub, secret := session.pub(), sharedSecret(k.PubKey(), &session.Key)
	copy(ephemeralOf(packet[:]), pub[:])
	copy(payloadsOf(packet[:]), front)
	xorStream(deriveKey(keyRho, secret), 0, payloadsOf(packet[:]))
	mu := deriveKey(keyMu, secret)
	copy(macOf(packet[:]), mac(mu[:], payloadsOf(packet[:])))
	return &packet
}

// B4.peel.5, B4.peel.6, B4.peel.7, B4.peel.8
func TestPeelRefusesFrames(t *testing.T) {
	k := newKey(3)
	for name, c := range map[string]struct {
		front []byte
		ok    bool
	}{
		"length 0, the old format":  {[]byte{0}, false},
		"length 1, reserved":        {[]byte{1, 7}, false},
		"length 2":                  {[]byte{2, 1, 0}, true},
		"length not minimal":        {[]byte{0xfd, 0, 20}, false},
		"length of 5 bytes":         {[]byte{0xfe, 0, 0, 1, 0}, false},
		"length of 9 bytes":         {bytes.Repeat([]byte{0xff}, 9), false},
		"length of 2^32":            {[]byte{0xff, 0, 0, 0, 1, 0, 0, 0, 0}, false},
		"as long as there is room":  {[]byte{0xfd, 1265 >> 8, 1265 & 0xff}, true},
		"hmac ends one byte beyond": {[]byte{0xfd, 1266 >> 8, 1266 & 0xff}, false},
		"no room for any hmac":      {[]byte{0xfd, 1297 >> 8, 1297 & 0xff}, false},
		"payload one byte beyond":   {[]byte{0xfd, 1298 >> 8, 1298 & 0xff}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, bad := Peel(k, craft(k, c.front), nil)
			require.Nil(t, bad)
			require.NotZero(t, p.Secret, "the failure can be encrypted")
			if c.ok {
				require.NotNil(t, p.Payload)
				return
			}
			require.Nil(t, p.Payload)
			require.True(t, p.Final)
			require.Equal(t, Packet{}, p.Next)
			_, failure := DecodePayload(p.Payload)
			require.Equal(t, &Failure{Code: InvalidOnionPayload}, failure)
		})
	}
}

// B4.peel.11
func TestReplayTag(t *testing.T) {
	keys, hops := newRoute(1, 30)
	packet, secrets := mustBuild(t, hops, nil)
	first, bad := Peel(keys[0], &packet, nil)
	require.Nil(t, bad)
	again, bad := Peel(keys[0], &packet, nil)
	require.Nil(t, bad)
	require.Equal(t, ReplayTag(first.Secret), ReplayTag(again.Secret))
	require.Equal(t, ReplayTag(secrets[0]), ReplayTag(first.Secret))

	// The same ephemeral key with another payload is a replay too.
	hops[0].Payload = []byte{2, 0}
	other, _ := mustBuild(t, hops, nil)
	p, bad := Peel(keys[0], &other, nil)
	require.Nil(t, bad)
	require.Equal(t, ReplayTag(first.Secret), ReplayTag(p.Secret))

	fresh, _, err := Build(newKey(0x77).PrivateKey, hops, nil)
	require.NoError(t, err)
	p, bad = Peel(keys[0], &fresh, nil)
	require.Nil(t, bad)
	require.NotEqual(t, ReplayTag(first.Secret), ReplayTag(p.Secret))
	require.NotContains(t, string(p.Secret[:]), string(ptr(ReplayTag(p.Secret))[:]))
}

// B4.blind.2
func TestPeelBlindedHidesTheReason(t *testing.T) {
	keys, hops := newRoute(2, 30)
	good, _ := mustBuild(t, hops, nil)
	b, err := Unblind(keys[0], newKey(5).pub())
	require.NoError(t, err)
	for name, spoil := range map[string]func(*Packet){
		"version":                func(p *Packet) { p[0] = 1 },
		"key":                    func(p *Packet) { p[1] = 9 },
		"hmac":                   func(p *Packet) { p[500] ^= 1 },
		"not for our blinded id": func(*Packet) {},
	} {
		t.Run(name, func(t *testing.T) {
			packet := good
			spoil(&packet)
			p, bad := PeelBlinded(keys[0], b, &packet, nil)
			require.Equal(t, &BadOnion{Code: InvalidOnionBlinding, SHA256: sha256.Sum256(packet[:])}, bad)
			require.Equal(t, Peeled{}, p)
		})
	}
	_, bad := PeelBlinded(lostKey{}, b, &good, nil)
	require.ErrorIs(t, bad.Err, errLost)
}

func TestUnblindRefuses(t *testing.T) {
	_, err := Unblind(newKey(1), lnwire.PubKey{9})
	require.ErrorIs(t, err, lnwire.ErrBadPubKey)
	_, err = Unblind(lostKey{}, newKey(5).pub())
	require.ErrorIs(t, err, errLost)
}

func FuzzPeel(f *testing.F) {
	keys, hops := newRoute(2, 30)
	packet, _, err := Build(newKey(0x41).PrivateKey, hops, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packet[:])
	f.Add(craft(keys[0], []byte{0xfd, 5, 0x12})[:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var raw Packet
		copy(raw[:], b)
		p, bad := Peel(keys[0], &raw, nil)
		if bad == nil {
			checkPeeled(t, p)
		} else if bad.Err != nil || !bad.Code.Has(FlagBadOnion|FlagPerm) {
			t.Fatalf("refused with %v, %v", bad.Code, bad.Err)
		}
		// The same bytes behind an HMAC that is right.
		p, bad = Peel(keys[0], craft(keys[0], b), nil)
		if bad != nil {
			t.Fatal("an authentic packet was refused")
		}
		checkPeeled(t, p)
	})
}

func checkPeeled(t *testing.T, p Peeled) {
	if p.Final != (p.Next == Packet{}) {
		t.Fatal("there is a next packet exactly when this is not the last hop")
	}
	if p.Payload == nil && !p.Final {
		t.Fatal("no payload, and yet a next packet")
	}
	if len(p.Payload) > PayloadsLen-macLen || (p.Payload != nil && len(p.Payload) < minPayload) {
		t.Fatalf("payload of %d bytes", len(p.Payload))
	}
}
