package lightning

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// funder is a node that notes what it was asked for.
type funder struct {
	fake
	did      string
	batch    node.BatchRequest
	acceptor chan node.Acceptor
}

func (f *funder) VerifyFunding(lnwire.ChannelID, *psbt.Packet, bool) error {
	f.did = "verify"
	return nil
}

func (f *funder) FinalizeFunding(_ lnwire.ChannelID, p *psbt.Packet, _ *wire.MsgTx) error {
	f.did = map[bool]string{true: "psbt", false: "raw"}[p != nil]
	return nil
}

func (f *funder) CancelFunding(lnwire.ChannelID) error {
	f.did = "cancel"
	return nil
}

func (f *funder) AbandonChannel(_ context.Context, _ wire.OutPoint, externOnly bool) error {
	f.did = map[bool]string{true: "abandon extern", false: "abandon"}[externOnly]
	return nil
}

func (f *funder) OpenBatch(_ context.Context, req node.BatchRequest) ([]wire.OutPoint, error) {
	f.batch = req
	return []wire.OutPoint{{Index: 1}, {Index: 2}}, nil
}

func (f *funder) AddAcceptor(a node.Acceptor) func() {
	f.acceptor <- a
	return func() {}
}

func emptyPsbt(t *testing.T) []byte {
	p, err := psbt.New([]*wire.OutPoint{{Index: 1}}, []*wire.TxOut{wire.NewTxOut(1, []byte{1})}, 2, 0, []uint32{0})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, p.Serialize(&b))
	return b.Bytes()
}

func TestFundingSteps(t *testing.T) {
	id, packet := bytes.Repeat([]byte{1}, 32), emptyPsbt(t)
	var raw bytes.Buffer
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{})
	require.NoError(t, tx.Serialize(&raw))
	verify := func(v *lnrpc.FundingPsbtVerify) *lnrpc.FundingTransitionMsg {
		return &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_PsbtVerify{PsbtVerify: v}}
	}
	finalize := func(v *lnrpc.FundingPsbtFinalize) *lnrpc.FundingTransitionMsg {
		return &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_PsbtFinalize{PsbtFinalize: v}}
	}
	register := func(s *lnrpc.FundingShim) *lnrpc.FundingTransitionMsg {
		return &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_ShimRegister{ShimRegister: s}}
	}
	for _, c := range []struct {
		req       *lnrpc.FundingTransitionMsg
		did, fail string
	}{
		{verify(&lnrpc.FundingPsbtVerify{PendingChanId: id, FundedPsbt: packet}), "verify", ""},
		{verify(&lnrpc.FundingPsbtVerify{PendingChanId: id, FundedPsbt: []byte{1}}), "", "error parsing psbt"},
		{verify(&lnrpc.FundingPsbtVerify{FundedPsbt: packet}), "", "pending_chan_id"},
		{finalize(&lnrpc.FundingPsbtFinalize{PendingChanId: id, SignedPsbt: packet}), "psbt", ""},
		{finalize(&lnrpc.FundingPsbtFinalize{PendingChanId: id, FinalRawTx: raw.Bytes()}), "raw", ""},
		{finalize(&lnrpc.FundingPsbtFinalize{PendingChanId: id, FinalRawTx: []byte{1}}), "", "error parsing final raw TX"},
		{finalize(&lnrpc.FundingPsbtFinalize{PendingChanId: id, SignedPsbt: packet, FinalRawTx: raw.Bytes()}), "", "cannot set both"},
		{finalize(&lnrpc.FundingPsbtFinalize{PendingChanId: id}), "", "to finalize missing"},
		{&lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_ShimCancel{ShimCancel: &lnrpc.FundingShimCancel{PendingChanId: id}}}, "cancel", ""},
		{register(&lnrpc.FundingShim{Shim: &lnrpc.FundingShim_PsbtShim{PsbtShim: &lnrpc.PsbtShim{}}}), "", "must only be sent when opening"},
		{register(&lnrpc.FundingShim{}), "", "remote key not set"},
		{register(agreed(nil)), "register", ""},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.LocalKey = nil })), "", "local key desc not set"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.LocalKey.RawKeyBytes = nil })), "", "local raw key bytes not set"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.LocalKey.RawKeyBytes = []byte{2} })), "", "raw_key_bytes"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.LocalKey.KeyLoc = nil })), "", "local key loc not set"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.LocalKey.KeyLoc.KeyFamily = -1 })), "", "key_loc"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.ChanPoint = nil })), "", "chan point not set"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.PendingChanId = make([]byte, 32) })), "", "pending chan ID not set"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.RemoteKey[0] = 7 })), "", "remote_key"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.Musig2 = true })), "", "musig2"},
		{register(agreed(func(c *lnrpc.ChanPointShim) { c.Amt = -1 })), "", "amt"},
		{&lnrpc.FundingTransitionMsg{}, "", "trigger"},
	} {
		f := &funder{}
		_, err := New(f, Config{}).FundingStateStep(t.Context(), c.req)
		require.Equal(t, c.did, f.did)
		if c.fail == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.fail)
		}
	}
}

// agreed is a funding output that was agreed upon, with a change.
func agreed(spoil func(*lnrpc.ChanPointShim)) *lnrpc.FundingShim {
	key := func(n byte) []byte {
		k := testKeys[n]
		return bytes.Clone(k[:])
	}
	c := &lnrpc.ChanPointShim{
		Amt: 5000, ChanPoint: &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidBytes{FundingTxidBytes: bytes.Repeat([]byte{4}, 32)}, OutputIndex: 1},
		LocalKey:  &lnrpc.KeyDescriptor{RawKeyBytes: key(0), KeyLoc: &lnrpc.KeyLocator{KeyFamily: 7, KeyIndex: 9}},
		RemoteKey: key(1), PendingChanId: bytes.Repeat([]byte{1}, 32), ThawHeight: 44,
	}
	if spoil != nil {
		spoil(c)
	}
	return &lnrpc.FundingShim{Shim: &lnrpc.FundingShim_ChanPointShim{ChanPointShim: c}}
}

// testKeys are points of the curve.
var testKeys = [2]lnwire.PubKey{testKey(1), testKey(2)}

func testKey(n byte) lnwire.PubKey {
	return lnwire.PubKey(btcec.PrivKeyFromScalar(new(btcec.ModNScalar).SetInt(uint32(n))).PubKey().SerializeCompressed())
}

// TestAgreedFunding: what an opening with an output that was agreed upon asks the node for.
func TestAgreedFunding(t *testing.T) {
	o := node.OpenRequest{Capacity: 5000}
	base, err := fundingShim(&lnrpc.OpenChannelRequest{FundingShim: agreed(nil)}, &o)
	require.NoError(t, err)
	require.Nil(t, base)
	require.Equal(t, lnwire.ChannelID(bytes.Repeat([]byte{1}, 32)), o.TempID)
	require.Equal(t, &node.Canned{
		Funding: wire.OutPoint{Hash: chainhash.Hash(bytes.Repeat([]byte{4}, 32)), Index: 1}, Amount: 5000,
		Local: keys.KeyLoc{Family: 7, Index: 9}, LocalKey: testKeys[0], Remote: testKeys[1], Thaw: 44,
	}, o.Canned)
	o.Capacity++
	_, err = fundingShim(&lnrpc.OpenChannelRequest{FundingShim: agreed(nil)}, &o)
	require.ErrorContains(t, err, "local_funding_amount")
}

// TestReadyForPsbt: what is to be paid stands in an address, and behind what is there.
func TestReadyForPsbt(t *testing.T) {
	s := New(&fake{}, Config{})
	shim := func(p *lnrpc.PsbtShim) *lnrpc.OpenChannelRequest {
		return &lnrpc.OpenChannelRequest{FundingShim: &lnrpc.FundingShim{Shim: &lnrpc.FundingShim_PsbtShim{PsbtShim: p}}}
	}
	id := bytes.Repeat([]byte{1}, 32)
	ask := node.FundAsked{Script: append([]byte{0, 32}, make([]byte, 32)...), Amount: 5000}
	for _, given := range [][]byte{nil, emptyPsbt(t)} {
		var o node.OpenRequest
		base, err := fundingShim(shim(&lnrpc.PsbtShim{PendingChanId: id, NoPublish: true, BasePsbt: given}), &o)
		require.NoError(t, err)
		require.Equal(t, &node.Shim{NoPublish: true}, o.Shim)
		require.Equal(t, lnwire.ChannelID(id), o.TempID)
		m, err := s.readyForPsbt(&ask, base)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(m.FundingAddress, "bcrt1q"))
		p, err := psbt.NewFromRawBytes(bytes.NewReader(m.Psbt), false)
		require.NoError(t, err)
		outs := p.UnsignedTx.TxOut
		require.Equal(t, wire.NewTxOut(5000, ask.Script), outs[len(outs)-1])
		require.Equal(t, given != nil, len(outs) == 2)
	}
	fees := shim(&lnrpc.PsbtShim{PendingChanId: id})
	fees.SatPerVbyte = 1
	for want, req := range map[string]*lnrpc.OpenChannelRequest{
		"must be a psbt_shim":        {FundingShim: &lnrpc.FundingShim{}},
		"pending chan ID not set":    shim(&lnrpc.PsbtShim{}),
		"error parsing base PSBT":    shim(&lnrpc.PsbtShim{PendingChanId: id, BasePsbt: []byte{1}}),
		"fee estimation parameters ": fees,
	} {
		_, err := fundingShim(req, &node.OpenRequest{})
		require.ErrorContains(t, err, want)
	}
	_, err := s.OpenChannelSync(t.Context(), fees)
	require.ErrorContains(t, err, "funding_shim")
}

func TestBatchRequests(t *testing.T) {
	key := bytes.Repeat([]byte{2}, 33)
	f := &funder{}
	s := New(f, Config{})
	out, err := s.BatchOpenChannel(t.Context(), &lnrpc.BatchOpenChannelRequest{
		SatPerVbyte: 4, Label: "l", SpendUnconfirmed: true, Channels: []*lnrpc.BatchOpenChannel{
			{NodePubkey: key, LocalFundingAmount: 50_000, PendingChanId: bytes.Repeat([]byte{7}, 32)},
			{NodePubkey: key, LocalFundingAmount: 60_000, Private: true},
		},
	})
	require.NoError(t, err)
	require.Equal(t, uint32(2), out.PendingChannels[1].OutputIndex)
	require.Equal(t, lnwire.SatPerKW(1000), f.batch.FeeRate)
	require.Zero(t, f.batch.MinConfs)
	require.Equal(t, lnwire.Sat(60_000), f.batch.Channels[1].Capacity)
	require.Equal(t, byte(7), f.batch.Channels[0].TempID[0])
	for want, req := range map[string]*lnrpc.BatchOpenChannelRequest{
		"specify at least one channel": {},
		"error parsing channel 0":      {Channels: []*lnrpc.BatchOpenChannel{nil}},
		"local_funding_amount":         {Channels: []*lnrpc.BatchOpenChannel{{NodePubkey: key}}},
		"pending_chan_id":              {Channels: []*lnrpc.BatchOpenChannel{{NodePubkey: key, LocalFundingAmount: 1, PendingChanId: key}}},
		"sat_per_vbyte":                {SatPerVbyte: -1, Channels: []*lnrpc.BatchOpenChannel{{}}},
	} {
		_, err := s.BatchOpenChannel(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
}

func TestAbandonRequests(t *testing.T) {
	point := &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidBytes{FundingTxidBytes: make([]byte, 32)}}
	for _, c := range []struct {
		req *lnrpc.AbandonChannelRequest
		did string
	}{
		{&lnrpc.AbandonChannelRequest{ChannelPoint: point, IKnowWhatIAmDoing: true}, "abandon"},
		{&lnrpc.AbandonChannelRequest{ChannelPoint: point, PendingFundingShimOnly: true}, "abandon extern"},
		{&lnrpc.AbandonChannelRequest{ChannelPoint: point}, ""},
		{&lnrpc.AbandonChannelRequest{IKnowWhatIAmDoing: true}, ""},
	} {
		f := &funder{}
		_, err := New(f, Config{}).AbandonChannel(t.Context(), c.req)
		require.Equal(t, c.did, f.did)
		require.Equal(t, c.did == "", err != nil)
	}
}

// acceptStream is a caller that decides.
type acceptStream struct {
	grpc.ServerStream
	ctx     context.Context
	asked   chan *lnrpc.ChannelAcceptRequest
	answers chan *lnrpc.ChannelAcceptResponse
}

func (s *acceptStream) Context() context.Context     { return s.ctx }
func (s *acceptStream) SendHeader(metadata.MD) error { return nil }
func (s *acceptStream) Send(m *lnrpc.ChannelAcceptRequest) error {
	s.asked <- m
	return nil
}

func (s *acceptStream) Recv() (*lnrpc.ChannelAcceptResponse, error) {
	if m, ok := <-s.answers; ok {
		return m, nil
	}
	return nil, io.EOF
}

func TestChannelAcceptor(t *testing.T) {
	f := &funder{acceptor: make(chan node.Acceptor, 1)}
	s := &acceptStream{ctx: t.Context(), asked: make(chan *lnrpc.ChannelAcceptRequest), answers: make(chan *lnrpc.ChannelAcceptResponse)}
	ended := make(chan error, 1)
	go func() { ended <- New(f, Config{}).ChannelAcceptor(s) }()
	decide := <-f.acceptor
	q := &channel.AskAccept{
		Peer: lnwire.PubKey{2}, Open: &lnwire.OpenChannel{TemporaryChannelID: lnwire.ChannelID{5}, DustLimit: 354, FundingSat: 100_000},
		Kind: channel.Kind{Format: commitment.Anchors, ZeroConf: true},
	}
	ask := func(answer *lnrpc.ChannelAcceptResponse) node.Verdict {
		got := make(chan node.Verdict, 1)
		go func() { got <- decide(t.Context(), q) }()
		m := <-s.asked
		require.Equal(t, uint64(100_000), m.FundingAmt)
		require.True(t, m.WantsZeroConf)
		require.Equal(t, lnrpc.CommitmentType_ANCHORS, m.CommitmentType)
		s.answers <- &lnrpc.ChannelAcceptResponse{Accept: true, PendingChanId: []byte{9}} // of another channel
		answer.PendingChanId = m.PendingChanId
		s.answers <- answer
		return <-got
	}
	require.Equal(t, node.Verdict{Accept: true, Reserve: 400, ToDelay: 7, ZeroConf: true},
		ask(&lnrpc.ChannelAcceptResponse{Accept: true, ReserveSat: 400, CsvDelay: 7, ZeroConf: true}))
	require.Equal(t, node.Verdict{Text: "no"}, ask(&lnrpc.ChannelAcceptResponse{Error: "no"}))
	for _, bad := range []*lnrpc.ChannelAcceptResponse{
		{Accept: true, Error: "and no"},
		{Accept: true, ReserveSat: 353},
		{Accept: true, MaxHtlcCount: 484},
		{Accept: true, CsvDelay: 1 << 16},
		{Accept: true, UpfrontShutdown: "nowhere"},
		{Error: string(make([]byte, 501))},
	} {
		require.Equal(t, node.Verdict{}, ask(bad))
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan node.Verdict, 1)
	go func() { got <- decide(ctx, q) }()
	<-s.asked
	// The id is the peer's choice: what is said of one channel must not count for another.
	other := *q
	other.Peer = lnwire.PubKey{3}
	require.Equal(t, node.Verdict{}, decide(ctx, &other), "another channel with this id is being asked about")
	cancel()
	require.Equal(t, node.Verdict{}, <-got, "who does not answer refuses")
	close(s.answers)
	require.NoError(t, <-ended)
	require.Equal(t, node.Verdict{}, decide(t.Context(), q), "who has gone refuses")
}

func (f *funder) RegisterFunding(lnwire.ChannelID, node.Canned) error {
	f.did = "register"
	return nil
}
