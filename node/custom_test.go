package node

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestCustomMessages: what an application sends, an application gets; what nobody waits
// for is dropped, and of a flood more than is borne (B1.custom.1, V-44).
func TestCustomMessages(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.connect(bob)

	say := func(kind lnwire.MsgType, data string) error {
		return alice.SendCustomMessage(bob.ID(), &lnwire.Unknown{MsgType: kind, Payload: []byte(data)})
	}
	require.NoError(t, say(32769, "nobody listens"))
	bobs := bob.host.Conn(alice.ID())
	sub := bob.CustomMessages()
	defer sub.Cancel()
	require.NoError(t, say(32769, "hello"))
	require.NoError(t, say(65535, ""))
	first := <-sub.C
	if string(first.Data) == "nobody listens" { // it was still on its way
		first = <-sub.C
	}
	require.Equal(t, CustomMessage{Peer: alice.ID(), Type: 32769, Data: []byte("hello")}, first)
	require.Equal(t, lnwire.MsgType(65535), (<-sub.C).Type)

	require.ErrorContains(t, say(32767, ""), "begin at 32768")
	require.ErrorContains(t, say(32769, strings.Repeat("x", 65534)), "at most 65533")
	require.ErrorContains(t, bob.SendCustomMessage(bob.ID(), &lnwire.Unknown{MsgType: 32769}), "not connected")

	for range 20 {
		bob.customs.arrived(bobs, &lnwire.Unknown{MsgType: 32771, Payload: make([]byte, 60_000)})
	}
	got := 0
	for len(sub.C) > 0 {
		<-sub.C
		got++
	}
	require.LessOrEqual(t, got*60_000, customBurst+60_000)
	require.NotZero(t, got)
}
