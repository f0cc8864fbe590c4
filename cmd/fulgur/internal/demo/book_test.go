package demo

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

func TestSetAside(t *testing.T) {
	// BOLT 3's own example of a commitment without HTLCs: 724 weight at 15,000 sat/kw.
	sat, err := setAside(lnrpc.CommitmentType_STATIC_REMOTE_KEY, 15_000)
	require.NoError(t, err)
	require.EqualValues(t, 10_860, sat)
	sat, err = setAside(lnrpc.CommitmentType_ANCHORS, 2_500)
	require.NoError(t, err)
	require.EqualValues(t, 2_810+660, sat)
	_, err = setAside(lnrpc.CommitmentType_LEGACY, 2_500)
	require.Error(t, err)
}

func TestFee(t *testing.T) {
	require.EqualValues(t, 26_000, bobs.fee(250_000_000))
	require.EqualValues(t, 1000, policy{base: 1000, ppm: 1}.fee(999_999), "rounded down")
}

func TestStory(t *testing.T) {
	b := newBook("alice", "bob", "carol")
	for _, who := range b.people {
		b.deposit(who, 10_000)
	}
	ab, bc := b.open("alice", "bob", 5_000, 100), b.open("bob", "carol", 4_000, 90)
	ab.aside, bc.aside = 300, 200
	ab.move("alice", 1_001_500)
	bc.move("bob", 1_000_000)
	require.EqualValues(t, 4_900, b.wallet["alice"])
	require.EqualValues(t, 5_000_000-1_001_500-300_000, b.inChannels("alice"))
	require.EqualValues(t, 1_001_500+4_000_000-1_000_000-200_000, b.inChannels("bob"))
	require.EqualValues(t, 1_000_000, b.inChannels("carol"))
	require.EqualValues(t, 200, b.aside("bob"))
	require.Zero(t, b.conserved())

	alice, bob, err := b.close(ab, 50)
	require.NoError(t, err)
	require.EqualValues(t, 1_001, bob)
	require.EqualValues(t, 5_000-1_001-50, alice)
	require.EqualValues(t, 0, b.aside("alice"))
	// Half a satoshi of bob's could not be paid out and went with the fee, which alice
	// paid so much less of.
	require.EqualValues(t, 0, b.conserved())
}

func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook("alice", "bob")
		b.deposit("alice", 1_000_000)
		c := b.open("alice", "bob", 500_000, rapid.Int64Range(1, 1000).Draw(t, "fee"))
		c.aside = rapid.Int64Range(0, 10_000).Draw(t, "aside")
		for range rapid.IntRange(0, 10).Draw(t, "payments") {
			c.move(rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "from"), rapid.Int64Range(0, 10_000_000).Draw(t, "msat"))
		}
		require.Zero(t, b.conserved())
		fee := rapid.Int64Range(1, 1000).Draw(t, "closing")
		alice, bob, err := b.close(c, fee)
		require.NoError(t, err)
		require.Equal(t, int64(500_000), alice+bob+fee)
		require.Zero(t, b.conserved())
	})
}

func TestCloseRefusesNonsense(t *testing.T) {
	b := newBook("alice", "bob")
	c := b.open("alice", "bob", 1000, 1)
	_, _, err := b.close(c, 0)
	require.Error(t, err)
	_, _, err = b.close(c, 1001)
	require.Error(t, err)
}

func TestIndentedAndQuoted(t *testing.T) {
	var out bytes.Buffer
	_, err := indented{&out}.Write([]byte("a\nb\n"))
	require.NoError(t, err)
	require.Equal(t, "         a\n         b\n", out.String())
	require.Equal(t, "/a/b", quoted("/a/b"))
	require.Equal(t, `'/a b/it'\''s'`, quoted("/a b/it's"))
}

func TestWrongFiguresFail(t *testing.T) {
	var out bytes.Buffer
	s := &story{t: newTeller(&out, false), book: newBook("alice")}
	s.book.deposit("alice", 5)
	require.NoError(t, s.table("x", map[string]figures{"alice": {wallet: 5}}))
	for _, wrong := range []figures{{wallet: 4}, {wallet: 5, channels: 1}, {wallet: 5, pending: 1}, {wallet: 5, under: 1}} {
		require.Error(t, s.table("x", map[string]figures{"alice": wrong}), "%+v", wrong)
	}
	require.Contains(t, out.String(), "WRONG")
}

func TestDemoNeedsItsPrograms(t *testing.T) {
	var out bytes.Buffer
	err := Command(&out, false).Run(context.Background(), []string{"demo", "--fulgurd=/no/such/program"})
	require.ErrorContains(t, err, "/no/such/program")
	require.Error(t, Command(&out, false).Run(context.Background(), []string{"demo", "more"}))
}
