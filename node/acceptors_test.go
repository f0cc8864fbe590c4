package node

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestVerdicts: all acceptors must accept, and agree; who does not answer refuses.
func TestVerdicts(t *testing.T) {
	says := func(v Verdict) Acceptor {
		return func(context.Context, *channel.AskAccept) Verdict { return v }
	}
	ours := channel.Accepted{Ours: channel.Side{Reserve: 1000, ToSelfDelay: 144, MaxAccepted: 30}, MinDepth: 3, ZeroConf: true}
	ask := func(patience time.Duration, zeroConf bool, list ...Acceptor) channel.Answer {
		n, _, _ := storeOnly(t)
		n.ctx = t.Context()
		n.cfg.AcceptorPatience = patience
		for _, a := range list {
			defer n.AddAcceptor(a)()
		}
		return n.decided(&channel.AskAccept{
			Open: &lnwire.OpenChannel{}, Kind: channel.Kind{ZeroConf: zeroConf}, Features: lnwire.NewFeatures(lnwire.UpfrontShutdownOptional),
		}, ours)
	}
	require.Equal(t, ours, ask(patience, false), "nobody is asked")
	got := ask(patience, true, says(Verdict{Accept: true, Reserve: 5000}), says(Verdict{Accept: true, ZeroConf: true, ToDelay: 10, Reserve: 5000, Close: []byte{1}}))
	require.Equal(t, channel.Accepted{
		Ours: channel.Side{Reserve: 5000, ToSelfDelay: 10, MaxAccepted: 30, Upfront: []byte{1}}, MinDepth: 3, ZeroConf: true,
	}, got)
	for _, c := range []struct {
		why  string
		list []Acceptor
	}{
		{"channel rejected", []Acceptor{says(Verdict{Accept: true}), says(Verdict{})}},
		{"not you", []Acceptor{says(Verdict{Text: "not you"}), func(context.Context, *channel.AskAccept) Verdict {
			require.Fail(t, "the first one has refused")
			return Verdict{}
		}}},
		{"channel rejected", []Acceptor{says(Verdict{Accept: true, MinDepth: 1}), says(Verdict{Accept: true, MinDepth: 2})}},
		{"channel rejected", []Acceptor{says(Verdict{Accept: true, MinDepth: 1, ZeroConf: true})}},
		{"channel acceptor blocked zero-conf channel negotiation", []Acceptor{says(Verdict{Accept: true})}},
	} {
		require.Equal(t, channel.Declined{Text: c.why}, ask(patience, true, c.list...))
	}
	late := func(ctx context.Context, _ *channel.AskAccept) Verdict {
		<-ctx.Done()
		return Verdict{Accept: true, ZeroConf: true}
	}
	require.Equal(t, channel.Declined{Text: "channel rejected"}, ask(time.Millisecond, true, late), "it may have said so too late")
}
