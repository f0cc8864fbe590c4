package floods

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/peer/noise"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// bombs are messages whose lengths say more than there is, and onion messages whose
// payload does; the former cost the connection.
func bombs(s *scene) flooding {
	long := []byte{0xff, 0xff}
	ones := bytes.Repeat([]byte{0xff}, 9) // a BigSize of 2^64-1
	head := func(t lnwire.MsgType, n int) []byte { return append([]byte{byte(t >> 8), byte(t)}, make([]byte, n)...) }
	list := [][]byte{
		append(head(lnwire.MsgError, 32), long...),
		append(head(lnwire.MsgWarning, 32), long...),
		append(head(lnwire.MsgPing, 2), long...),
		append(head(lnwire.MsgChannelAnnouncement, 4*64), long...),
		append(head(lnwire.MsgNodeAnnouncement, 64), long...),
		append(head(lnwire.MsgQueryShortChannelIDs, 32), long...),
		append(head(lnwire.MsgReplyChannelRange, 32+9), long...),
		append(head(lnwire.MsgCommitmentSigned, 32+64), long...),
		append(head(lnwire.MsgOnionMessage, 33), long...),
		append(append(plain(&lnwire.GossipTimestampFilter{ChainHash: chainHash}), 1), ones...),
		append(append(plain(&lnwire.Shutdown{Script: make([]byte, 22)}), 1), ones...),
		append(append(plain(&lnwire.CommitmentSigned{}), 1), ones...),
	}
	inOnion := s.onionBomb()
	return crowdOf(50, hearing(func(v *voice, nth int) error {
		if nth%2 == 0 {
			return inTurn(10, [][]byte{inOnion})(v, nth)
		}
		if err := v.say(list[nth/2%len(list)]); err != nil {
			return nil // that was the point
		}
		pause(v.ctx, 20*time.Millisecond)
		return nil
	}))
}

// onionBomb is an onion message for the node whose payload says that it has 2^32-1 bytes.
func (s *scene) onionBomb() []byte {
	path, err := onion.MessagePath(key("path", 0), []lnwire.PubKey{s.id()}, nil, nil)
	s.must(err)
	payload := make([]byte, 100)
	packet, secrets, err := onion.Build(key("session", 0), []onion.Hop{{PubKey: path.Hops[0].NodeID, Payload: payload}}, nil)
	s.must(err)
	// What is encrypted by a stream can be changed in its place; then its sum is made anew.
	payloads := packet[1+33 : len(packet)-32]
	was, want := byte(len(payload)), [5]byte{0xfe, 0xff, 0xff, 0xff, 0xff}
	payloads[0] ^= was ^ want[0]
	for i, b := range want[1:] {
		payloads[1+i] ^= b // of zeros
	}
	mu := hmac.New(sha256.New, []byte("mu"))
	mu.Write(secrets[0][:])
	mac := hmac.New(sha256.New, mu.Sum(nil))
	mac.Write(payloads)
	copy(packet[len(packet)-32:], mac.Sum(nil))
	return plain(&lnwire.OnionMessage{PathKey: path.PathKey, Packet: packet[:]})
}

// large are messages of 64 KB of all kinds that a stranger may send.
func large(s *scene) flooding {
	const size = 64_000
	stuff := bytes.Repeat([]byte{1}, size)
	var list [][]byte
	for i := range 8 {
		a := &lnwire.ChannelAnnouncement{
			ChainHash: chainHash, SCID: lnwire.NewShortChannelID(1, uint32(i), 0), Extra: stuff,
			NodeID1: s.g.ids[0], NodeID2: s.g.ids[1], BitcoinKey1: s.g.ids[0], BitcoinKey2: s.g.ids[1],
		}
		n := &lnwire.NodeAnnouncement{NodeID: s.g.ids[i%2], Timestamp: uint32(time.Now().Unix()), Extra: stuff}
		u := s.g.update(0, 0, uint32(time.Now().Unix()))
		u.Extra = stuff
		list = append(list, plain(a), plain(n), plain(u), plain(&lnwire.Unknown{MsgType: 32769, Payload: stuff}))
	}
	return crowdOf(500, hearing(inTurn(1, list)))
}

// pings want the longest answers.
func pings(*scene) flooding {
	return crowdOf(50, hardOfHearing(inTurn(20, [][]byte{plain(&lnwire.Ping{NumPongBytes: 65_531, Padding: make([]byte, 100)})})))
}

// customs are messages that only applications know. There is one that wants to hear of
// them, and does not come to it.
func customs(s *scene) flooding {
	small, big := make([]byte, 500), make([]byte, 60_000)
	list := [][]byte{plain(&lnwire.Unknown{MsgType: 32769, Payload: small}), plain(&lnwire.Unknown{MsgType: 32771, Payload: big})}
	flood := crowdOf(50, hearing(inTurn(4, list)))
	return func(ctx context.Context, to *target) {
		if _, err := s.bob.LN.SubscribeCustomMessages(ctx, &lnrpc.SubscribeCustomMessagesRequest{}); err != nil {
			s.t.Errorf("subscribe to custom messages: %v", err)
		}
		flood(ctx, to)
	}
}

// onionMessages end with the node, or go on to nobody; some are of the largest size.
func onionMessages(s *scene) flooding {
	var list [][]byte
	for i := range 60 {
		nodes := []lnwire.PubKey{s.id()}
		if i%3 == 1 {
			nodes = append(nodes, s.g.ids[0])
		}
		path, err := onion.MessagePath(key("path", i), nodes, nil, nil)
		s.must(err)
		contents := []lnwire.TLV{{Type: 65, Value: make([]byte, 200)}}
		if i%6 == 5 {
			contents[0].Value = make([]byte, 20_000)
		}
		m, err := onion.BuildMessage(key("session", i), path, nil, contents)
		s.must(err)
		list = append(list, plain(m))
	}
	return crowdOf(50, hearing(inTurn(10, list)))
}

// halfOpen are connections that stop somewhere before their init.
func halfOpen(*scene) flooding {
	return func(ctx context.Context, to *target) {
		to.crowdAtDoor(ctx, 600, func(v *voice, nth int) error {
			ephemeral, err := btcec.NewPrivateKey()
			if err != nil {
				return err
			}
			shake := noise.NewInitiator(noise.NewKey(v.key), to.id, ephemeral)
			one, err := shake.ActOne()
			if err != nil {
				return err
			}
			var two, three []byte
			switch nth % 6 {
			case 0: // nothing
				return nil
			case 1:
				return v.raw(one[:25])
			case 2:
				return v.raw(one)
			case 3:
				return v.raw(make([]byte, len(one)))
			}
			if err := v.raw(one); err != nil {
				return err
			}
			two = make([]byte, noise.ActTwoLen)
			if _, err := io.ReadFull(v.nc, two); err != nil {
				return err
			}
			if three, _, err = shake.ActTwo(two); err != nil {
				return err
			}
			if nth%6 == 4 {
				three = three[:30]
			}
			return v.raw(three)
		})
	}
}

// raw writes what is no message.
func (v *voice) raw(b []byte) error {
	_, err := v.nc.Write(b)
	v.to.messages.Add(1)
	v.to.bytes.Add(int64(len(b)))
	return err
}

// crowdAtDoor keeps n connections, each of which stays after what stall has said until
// the node hangs up.
func (t *target) crowdAtDoor(ctx context.Context, n int, stall speech) {
	t.gather(ctx, n, func(ctx context.Context, nth int) error {
		key, err := btcec.NewPrivateKey()
		if err != nil {
			return err
		}
		v, err := t.dial(ctx, key)
		if err != nil {
			return err
		}
		defer v.close()
		if err := stall(v, nth); err != nil {
			return err
		}
		v.drain()
		return nil
	})
}
