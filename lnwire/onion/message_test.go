package onion

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// B4.msg.2, B4.msg.5, B4.msg.10, B4.msg.11, B4.msg.12: the spec's message, whose first node joins a path
// that its end has made, built and carried from node to node.
func TestVectorOnionMessageTravels(t *testing.T) {
	var v struct {
		Generate struct {
			SessionKey string `json:"session_key"`
			Hops       []struct {
				PathKeySecret string `json:"path_key_secret"`
				Data          string `json:"encrypted_data_tlv"`
				Encrypted     string `json:"encrypted_recipient_data"`
				Blinded       string `json:"blinded_node_id"`
			} `json:"hops"`
		} `json:"generate"`
		Route struct {
			First   string `json:"first_node_id"`
			PathKey string `json:"first_path_key"`
		} `json:"route"`
		Message struct {
			Hello  string `json:"unknown_tag_1"`
			Packet string `json:"onion_message_packet"`
		} `json:"onionmessage"`
		Decrypt struct {
			Hops []struct {
				Key     string `json:"privkey"`
				Message string `json:"onion_message"`
				Next    string `json:"next_node_id"`
			} `json:"hops"`
		} `json:"decrypt"`
	}
	readVector(t, "blinded-onion-message-onion-test.json", &v)
	d := v.Decrypt.Hops
	node := func(i int) lnwire.PubKey { return keyOf(unhex(t, d[i].Key)).pub() }
	data := func(i int) PathNode { return PathNode{node(i), unhex(t, v.Generate.Hops[i].Data)} }
	tail, err := Blind(keyOf(unhex(t, v.Generate.Hops[1].PathKeySecret)).PrivateKey, []PathNode{data(1), data(2), data(3)})
	require.NoError(t, err)
	head, err := Blind(keyOf(unhex(t, v.Generate.Hops[0].PathKeySecret)).PrivateKey, []PathNode{data(0)})
	require.NoError(t, err)
	first, err := DecodeRecipientData(data(0).Data)
	require.NoError(t, err)
	require.Equal(t, tail.PathKey, *first.PathKeyOverride)
	path := BlindedPath{FirstNode: head.FirstNode, PathKey: head.PathKey, Hops: append(head.Hops, tail.Hops...)}
	require.Equal(t, v.Route.First, path.FirstNode.String())
	require.Equal(t, v.Route.PathKey, path.PathKey.String())
	for i, h := range v.Generate.Hops {
		require.Equal(t, h.Blinded, path.Hops[i].NodeID.String())
		require.Equal(t, h.Encrypted, hex.EncodeToString(path.Hops[i].Data))
	}
	hello := lnwire.TLV{Type: 1, Value: unhex(t, v.Message.Hello)}
	m, err := BuildMessage(keyOf(unhex(t, v.Generate.SessionKey)).PrivateKey, path, nil, []lnwire.TLV{hello})
	require.NoError(t, err)
	require.Equal(t, v.Message.Packet, hex.EncodeToString(m.Packet))
	for i, hop := range d {
		b, err := lnwire.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, hop.Message, hex.EncodeToString(b))
		ours, relay, err := OpenMessage(keyOf(unhex(t, hop.Key)), m)
		require.NoError(t, err)
		if i == len(d)-1 {
			require.Nil(t, relay)
			require.Equal(t, unhex(t, "deadbeefbadc0ffeedeadbeefbadc0ffeedeadbeefbadc0ffeedeadbeefbadc0"), ours.PathID)
			require.Equal(t, []lnwire.TLV{hello}, ours.Contents)
			break
		}
		require.Nil(t, ours)
		require.Equal(t, hop.Next, relay.Node.String())
		m = &relay.Message
	}
}

// B4.msg.9, B4.msg.11: a message with a reply path, small and large, and the answer back over
// nodes of our own in front of it.
func TestMessageAndReply(t *testing.T) {
	keys, _ := newRoute(5, 2)
	ids := make([]lnwire.PubKey, len(keys))
	for i, k := range keys {
		ids[i] = k.pub()
	}
	reply, err := MessagePath(newKey(0x31).PrivateKey, []lnwire.PubKey{ids[3], ids[1], ids[0]}, []byte("secret"), nil)
	require.NoError(t, err)
	path, err := MessagePath(newKey(0x32).PrivateKey, ids[1:], nil, nil)
	require.NoError(t, err)
	for _, size := range []int{10, 20_000} {
		asked := lnwire.TLV{Type: MsgInvoiceRequest, Value: make([]byte, size)}
		m, err := BuildMessage(newKey(0x33).PrivateKey, path, &reply, []lnwire.TLV{asked})
		require.NoError(t, err)
		require.Contains(t, []int{MessageLen, LargeMessageLen}, len(m.Packet))
		require.Equal(t, size > 1300, len(m.Packet) == LargeMessageLen)
		got := carry(t, keys[1:], m)
		require.Nil(t, got.PathID)
		require.Equal(t, []lnwire.TLV{asked}, got.Contents)
		require.Equal(t, &reply, got.ReplyPath)

		back, err := MessagePath(newKey(0x34).PrivateKey, []lnwire.PubKey{ids[4], ids[2]}, nil, got.ReplyPath)
		require.NoError(t, err)
		answer, err := BuildMessage(newKey(0x35).PrivateKey, back, nil, []lnwire.TLV{{Type: MsgInvoice, Value: []byte{1}}})
		require.NoError(t, err)
		got = carry(t, []*nodeKey{keys[4], keys[2], keys[3], keys[1], keys[0]}, answer)
		require.Equal(t, []byte("secret"), got.PathID)
		require.Nil(t, got.ReplyPath)
	}
	_, err = BuildMessage(newKey(1).PrivateKey, path, nil, []lnwire.TLV{{Type: 64, Value: make([]byte, 33000)}})
	require.ErrorContains(t, err, "the onion holds")
	_, err = BuildMessage(newKey(1).PrivateKey, path, nil, []lnwire.TLV{{Type: 4}})
	require.ErrorContains(t, err, "not a part of the contents")
	_, err = MessagePath(newKey(1).PrivateKey, ids, nil, &BlindedPath{})
	require.Error(t, err)
}

// carry takes a message along its nodes and gives what the last finds.
func carry(t *testing.T, keys []*nodeKey, m *lnwire.OnionMessage) *Message {
	t.Helper()
	for i, k := range keys {
		ours, relay, err := OpenMessage(k, m)
		require.NoError(t, err, "node %d", i)
		if i == len(keys)-1 {
			require.NotNil(t, ours)
			return ours
		}
		require.Equal(t, keys[i+1].pub(), relay.Node)
		m = &relay.Message
	}
	return nil
}

// wrapped is a message for key alone, whose onion says that it goes on when next is set.
func wrapped(t *testing.T, key *nodeKey, data []byte, next bool, records ...lnwire.TLV) *lnwire.OnionMessage {
	nodes := []PathNode{{key.pub(), data}}
	if next {
		nodes = append(nodes, PathNode{newKey(0x66).pub(), nil})
	}
	path, err := Blind(newKey(0x51).PrivateKey, nodes)
	require.NoError(t, err)
	var hops []Hop
	for i, h := range path.Hops {
		var recs []lnwire.TLV
		if data != nil || i > 0 {
			recs = []lnwire.TLV{{Type: msgData, Value: h.Data}}
		}
		if i == 0 {
			recs = append(recs, records...)
		}
		b, err := lnwire.AppendTLVs(nil, recs)
		require.NoError(t, err)
		hops = append(hops, Hop{h.NodeID, b})
	}
	packet := make([]byte, MessageLen)
	_, err = build(packet, newKey(0x52).PrivateKey, hops, nil)
	require.NoError(t, err)
	return &lnwire.OnionMessage{PathKey: path.PathKey, Packet: packet}
}

// B4.msg.3, B4.msg.4, B4.msg.6, B4.msg.7, B4.msg.8: what has to be dropped.
func TestMessagesThatAreDropped(t *testing.T) {
	key := newKey(7)
	enc := func(d RecipientData) []byte {
		b, err := d.Encode()
		require.NoError(t, err)
		return append([]byte{}, b...)
	}
	scid, node, unknown := lnwire.ShortChannelID(5), newKey(8).pub(), lnwire.NewFeatures(99)
	_, relay, err := OpenMessage(key, wrapped(t, key, enc(RecipientData{ShortChannelID: &scid}), true))
	require.NoError(t, err)
	require.Equal(t, scid, relay.SCID)
	ours, _, err := OpenMessage(key, wrapped(t, key, enc(RecipientData{}), false, lnwire.TLV{Type: 65, Value: []byte{1}}))
	require.NoError(t, err)
	require.Len(t, ours.Contents, 1)

	good := wrapped(t, key, enc(RecipientData{NextNode: &node}), true)
	damaged := &lnwire.OnionMessage{PathKey: good.PathKey, Packet: append([]byte{}, good.Packet...)}
	damaged.Packet[500] ^= 1
	for why, m := range map[string]*lnwire.OnionMessage{
		"too short":                   {PathKey: good.PathKey, Packet: make([]byte, overhead)},
		"no point":                    {Packet: good.Packet},
		"not for us, or damaged":      damaged,
		"that we do not know":         wrapped(t, key, enc(RecipientData{NextNode: &node, Features: &unknown}), true),
		"not a valid stream":          wrapped(t, key, []byte{0x10, 0}, false),
		"no encrypted_recipient_data": wrapped(t, key, nil, true, lnwire.TLV{Type: 7}),
		"to a node on the way":        wrapped(t, key, enc(RecipientData{NextNode: &node}), true, lnwire.TLV{Type: 65}),
		"but there is a next node":    wrapped(t, key, enc(RecipientData{NextNode: &node, PathID: []byte{1}}), true),
		"no next node":                wrapped(t, key, enc(RecipientData{}), true),
		"more than one payload field": wrapped(t, key, enc(RecipientData{}), false, lnwire.TLV{Type: 65}, lnwire.TLV{Type: 67}),
		"unknown even type":           wrapped(t, key, enc(RecipientData{}), false, lnwire.TLV{Type: 70}),
		"reply_path is not well":      wrapped(t, key, nil, false, lnwire.TLV{Type: 2, Value: []byte{1}}),
	} {
		_, _, err := OpenMessage(key, m)
		require.ErrorContains(t, err, why)
		var as MessageError
		require.ErrorAs(t, err, &as, why)
	}
	_, _, err = OpenMessage(lostKey{}, good)
	require.ErrorIs(t, err, errLost)
}

// FuzzOpenMessage gives payloads of any content to whoever is the last, or not: the rest of an onion
// cannot be made without the key.
func FuzzOpenMessage(f *testing.F) {
	f.Add([]byte{4, 0}, []byte{1, 0, 6, 1, 9}, true)
	f.Add([]byte{64, 1, 2}, []byte{2, 8, 0, 0, 0, 0, 0, 0, 0, 1}, false)
	f.Fuzz(func(t *testing.T, payload, data []byte, final bool) {
		p, err := readMessage(payload)
		if err != nil {
			return
		}
		d, err := DecodeRecipientData(data)
		if err != nil {
			return
		}
		if final {
			_, _, _ = p.end(d)
		} else if relay, err := p.relay(d); err == nil {
			require.True(t, relay.SCID != 0 || !relay.Node.IsZero() || d.ShortChannelID != nil)
		}
	})
}

func BenchmarkOpenMessage(b *testing.B) {
	keys, _ := newRoute(2, 2)
	path, err := MessagePath(newKey(0x32).PrivateKey, []lnwire.PubKey{keys[0].pub(), keys[1].pub()}, nil, nil)
	require.NoError(b, err)
	m, err := BuildMessage(newKey(0x33).PrivateKey, path, nil, nil)
	require.NoError(b, err)
	for b.Loop() {
		if _, _, err := OpenMessage(keys[0], m); err != nil {
			b.Fatal(err)
		}
	}
}
