package demo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/local"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// The amounts of the story, in satoshis.
const (
	deposit   = 10_000_000
	capacityA = 5_000_000 // alice-bob
	capacityB = 4_000_000 // bob-carol
	there     = 250_000   // alice pays carol
	back      = 100_000   // carol pays alice
	closeRate = 5         // sat/vbyte
	confirms  = 6         // announces a channel (BOLT 7)
)

// bobs is what bob takes for carrying.
var bobs = policy{base: 1000, ppm: 100}

// patience is how long the whole story may take before it counts as stuck.
const patience = 2 * time.Minute

// story is the demo under way.
type story struct {
	t    *teller
	cfg  local.Config
	net  *local.Net
	book *book

	alice, bob, carol *local.Node
	ab, bc            *channelBook
	points            map[*channelBook]string
}

func (s *story) end() {
	if s.net != nil {
		s.t.wait("stopping everything")
		s.net.Stop()
		s.t.stop()
	}
}

// logs shows what the nodes said last, when something went wrong.
func (s *story) logs() {
	if s.net == nil {
		return
	}
	for _, n := range s.net.Nodes {
		fmt.Fprintf(s.t.w, "\nthe last words of %s:\n%s\n", n.Name, n.Tail())
	}
}

// play tells it from the beginning to the end.
func (s *story) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.points = map[*channelBook]string{}
	for _, part := range []func(context.Context) error{
		s.begin, s.fund, s.connect, s.open, s.gossip, s.payThere, s.payBack, s.close, s.finish,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) begin(ctx context.Context) (err error) {
	s.t.wait("starting btcd")
	if s.net, err = local.Start(ctx, s.cfg); err != nil {
		return err
	}
	height, _, err := s.net.Chain.Tip(ctx)
	if err != nil {
		return err
	}
	s.t.chapter("A private Bitcoin chain: btcd on regtest, %d blocks, at %s", height, s.net.Chain.RPCAddr())
	for _, who := range []struct {
		name string
		node **local.Node
	}{{"alice", &s.alice}, {"bob", &s.bob}, {"carol", &s.carol}} {
		s.t.wait("starting %s", who.name)
		cfg := local.NodeConfig{Name: who.name}
		if who.name == "bob" {
			cfg.Lines = []string{fmt.Sprintf("bitcoin.basefee=%d", bobs.base), fmt.Sprintf("bitcoin.feerate=%d", bobs.ppm)}
		}
		if *who.node, err = s.net.AddNode(ctx, cfg); err != nil {
			return err
		}
	}
	s.t.chapter("Three Lightning nodes, each a process of its own:")
	for _, n := range s.net.Nodes {
		s.t.say("%-5s  %s…  gRPC %s  REST %s  peers %s", n.Name, n.ID[:16], n.RPC, n.REST, n.P2P)
	}
	s.t.say("bob takes %s and %d millionths for carrying a payment", show.Msat(bobs.base), bobs.ppm)
	return nil
}

func (s *story) fund(ctx context.Context) error {
	s.t.chapter("The miner gives everybody %s", show.Sat(int64(deposit)))
	var txids []chainhash.Hash
	for _, n := range s.net.Nodes {
		addr, err := n.Lightning.NewAddress(ctx, &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_TAPROOT_PUBKEY})
		if err != nil {
			return fmt.Errorf("address of %s: %w", n.Name, err)
		}
		tx, err := s.net.Chain.Miner().PayAddress(ctx, addr.Address, deposit)
		if err != nil {
			return err
		}
		txids = append(txids, tx.TxHash())
		s.book.deposit(n.Name, deposit)
		s.t.say("%-5s  %s", n.Name, addr.Address)
	}
	s.t.wait("mining a block")
	if err := s.net.Confirm(ctx, 1, txids...); err != nil {
		return err
	}
	return s.check(ctx, "Before")
}

func (s *story) connect(ctx context.Context) error {
	if err := s.alice.Connect(ctx, s.bob); err != nil {
		return err
	}
	if err := s.bob.Connect(ctx, s.carol); err != nil {
		return err
	}
	s.t.chapter("Connected: alice - bob - carol")
	return nil
}

func (s *story) open(ctx context.Context) error {
	s.t.chapter("Two channels are opened:")
	var funding []chainhash.Hash
	for _, o := range []struct {
		from, to *local.Node
		capacity int64
		book     **channelBook
	}{{s.alice, s.bob, capacityA, &s.ab}, {s.bob, s.carol, capacityB, &s.bc}} {
		s.t.wait("opening %s-%s", o.from.Name, o.to.Name)
		txid, err := s.openOne(ctx, o.from, o.to, o.capacity, o.book)
		if err != nil {
			return fmt.Errorf("open %s-%s: %w", o.from.Name, o.to.Name, err)
		}
		funding = append(funding, txid)
	}
	s.t.wait("mining %d blocks", confirms)
	if err := s.net.Confirm(ctx, confirms, funding...); err != nil {
		return err
	}
	s.t.wait("waiting until both channels can be used")
	for _, side := range []struct {
		node *local.Node
		book *channelBook
	}{{s.alice, s.ab}, {s.bob, s.ab}, {s.bob, s.bc}, {s.carol, s.bc}} {
		ch, err := s.active(ctx, side.node, side.book)
		if err != nil {
			return fmt.Errorf("wait for %s at %s: %w", side.book.name, side.node.Name, err)
		}
		if ch.Initiator {
			if side.book.aside, err = setAside(ch.CommitmentType, ch.FeePerKw); err != nil {
				return err
			}
			s.t.say("%s is open: the opener keeps %s of it set aside for a forced close (%d sat/kw)", side.book.name, show.Sat(side.book.aside), ch.FeePerKw)
		}
	}
	return s.check(ctx, "Channels are open")
}

// openOne opens a channel and books what its funding transaction cost.
func (s *story) openOne(ctx context.Context, from, to *local.Node, capacity int64, into **channelBook) (txid chainhash.Hash, err error) {
	peer, err := hex.DecodeString(to.ID)
	if err != nil {
		return txid, err
	}
	point, err := from.Lightning.OpenChannelSync(ctx, &lnrpc.OpenChannelRequest{NodePubkey: peer, LocalFundingAmount: capacity})
	if err != nil {
		return txid, err
	}
	copy(txid[:], point.GetFundingTxidBytes())
	err = local.Until(ctx, func() (bool, error) { // until btcd has it
		_, err := s.net.Tx(ctx, txid)
		return err == nil, nil
	})
	if err != nil {
		return txid, fmt.Errorf("wait for transaction %s: %w", txid, err)
	}
	tx, err := s.net.Tx(ctx, txid)
	if err != nil {
		return txid, err
	}
	if out := tx.TxOut[point.OutputIndex].Value; out != capacity {
		return txid, fmt.Errorf("the funding output holds %d sat, not %d", out, capacity)
	}
	fee, err := s.net.Fee(ctx, tx)
	if err != nil {
		return txid, err
	}
	*into = s.book.open(from.Name, to.Name, capacity, fee)
	s.points[*into] = fmt.Sprintf("%s:%d", txid, point.OutputIndex)
	s.t.say("%s: %s from %s, and %s for the miners", (*into).name, show.Sat(capacity), from.Name, show.Sat(fee))
	return txid, nil
}

// active waits until a node can use a channel.
func (s *story) active(ctx context.Context, n *local.Node, c *channelBook) (found *lnrpc.Channel, err error) {
	err = local.Until(ctx, func() (bool, error) {
		list, err := n.Lightning.ListChannels(ctx, &lnrpc.ListChannelsRequest{ActiveOnly: true})
		if err != nil {
			return false, err
		}
		for _, ch := range list.Channels {
			if ch.ChannelPoint == s.points[c] {
				found = ch
				return true, nil
			}
		}
		return false, nil
	})
	return found, err
}

// gossip waits until the ends of the line know the channel that is not theirs, in
// both directions.
func (s *story) gossip(ctx context.Context) error {
	for _, ear := range []struct {
		node *local.Node
		book *channelBook
	}{{s.alice, s.bc}, {s.carol, s.ab}} {
		s.t.wait("waiting until %s hears of %s", ear.node.Name, ear.book.name)
		err := local.Until(ctx, func() (bool, error) {
			graph, err := ear.node.Lightning.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{})
			if err != nil {
				return false, err
			}
			for _, e := range graph.Edges {
				if e.ChanPoint == s.points[ear.book] && e.Node1Policy != nil && e.Node2Policy != nil {
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			return fmt.Errorf("wait until %s hears of %s: %w", ear.node.Name, ear.book.name, err)
		}
		if ear.node == s.alice {
			s.t.chapter("Gossip: alice has learned of the channel between bob and carol")
		}
	}
	return nil
}

func (s *story) payThere(ctx context.Context) error {
	s.t.chapter("Carol makes an invoice, alice pays it through bob:")
	if err := s.pay(ctx, s.alice, s.carol, there, "a bicycle"); err != nil {
		return err
	}
	return s.earned(ctx, bobs.fee(there*1000))
}

func (s *story) payBack(ctx context.Context) error {
	s.t.chapter("Carol pays back:")
	if err := s.pay(ctx, s.carol, s.alice, back, "the bicycle, secondhand"); err != nil {
		return err
	}
	if err := s.earned(ctx, bobs.fee(there*1000), bobs.fee(back*1000)); err != nil {
		return err
	}
	return s.check(ctx, "After the payments")
}

// pay makes an invoice, pays it and books it on both channels.
func (s *story) pay(ctx context.Context, from, to *local.Node, sat int64, what string) error {
	inv, err := to.Lightning.AddInvoice(ctx, &lnrpc.Invoice{Value: sat, Memo: what})
	if err != nil {
		return fmt.Errorf("invoice of %s: %w", to.Name, err)
	}
	s.t.say("%s asks for %s for %s: %s…", to.Name, show.Sat(sat), what, inv.PaymentRequest[:40])
	s.t.wait("%s pays", from.Name)
	begun := time.Now()
	p, err := settle(ctx, from, inv.PaymentRequest)
	if err != nil {
		return fmt.Errorf("%s pays %s: %w", from.Name, to.Name, err)
	}
	fee := bobs.fee(sat * 1000)
	if p.FeeMsat != fee || p.ValueMsat != sat*1000 {
		return fmt.Errorf("%s paid %s and %s for the way; %s and %s are right", from.Name,
			show.Msat(p.ValueMsat), show.Msat(p.FeeMsat), show.Sat(sat), show.Msat(fee))
	}
	got, err := to.Lightning.LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: inv.RHash})
	if err != nil {
		return err
	}
	if got.State != lnrpc.Invoice_SETTLED || got.AmtPaidMsat != sat*1000 {
		return fmt.Errorf("the invoice of %s is %v with %s paid", to.Name, got.State, show.Msat(got.AmtPaidMsat))
	}
	first, last := s.ab, s.bc
	if from == s.carol {
		first, last = last, first
	}
	first.move(from.Name, sat*1000+fee)
	last.move(s.bob.Name, sat*1000)
	s.t.say("%s paid %s, and %s for the way, in %d ms; the proof is %s…", from.Name, show.Sat(sat), show.Msat(fee),
		time.Since(begun).Milliseconds(), p.PaymentPreimage[:16])
	return nil
}

// settle pays an invoice and returns the payment when it has succeeded.
func settle(ctx context.Context, from *local.Node, invoice string) (*lnrpc.Payment, error) {
	stream, err := from.Router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
		PaymentRequest: invoice, TimeoutSeconds: 30, FeeLimitSat: 1000, NoInflightUpdates: true,
	})
	if err != nil {
		return nil, err
	}
	for {
		p, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		switch p.Status {
		case lnrpc.Payment_SUCCEEDED:
			return p, nil
		case lnrpc.Payment_FAILED:
			return nil, fmt.Errorf("the payment failed: %v", p.FailureReason)
		default: // under way
		}
	}
}

// earned compares bob's history with what he must have earned.
func (s *story) earned(ctx context.Context, fees ...int64) error {
	s.t.wait("waiting for bob's books")
	var got []*lnrpc.ForwardingEvent
	err := local.Until(ctx, func() (bool, error) {
		h, err := s.bob.Lightning.ForwardingHistory(ctx, &lnrpc.ForwardingHistoryRequest{})
		if err != nil {
			return false, err
		}
		got = h.ForwardingEvents
		return len(got) >= len(fees), nil
	})
	if err != nil {
		return fmt.Errorf("wait for bob's history: %w", err)
	}
	if len(got) != len(fees) {
		return fmt.Errorf("bob's history has %d forwards, %d are right", len(got), len(fees))
	}
	for i, e := range got {
		if int64(e.FeeMsat) != fees[i] || e.AmtInMsat-e.AmtOutMsat != e.FeeMsat {
			return fmt.Errorf("bob says that forward %d brought %s; %s is right", i+1, show.Msat(e.FeeMsat), show.Msat(fees[i]))
		}
	}
	e := got[len(got)-1]
	s.t.say("bob's history: %s came in over %s, %s went out over %s, earned %s", show.Msat(e.AmtInMsat), show.ShortChannelID(e.ChanIdIn),
		show.Msat(e.AmtOutMsat), show.ShortChannelID(e.ChanIdOut), show.Msat(e.FeeMsat))
	return nil
}

func (s *story) close(ctx context.Context) error {
	s.t.chapter("Alice and bob close their channel by agreement:")
	s.t.wait("closing")
	txid, err := s.closeOne(ctx)
	if err != nil {
		return fmt.Errorf("close %s: %w", s.ab.name, err)
	}
	tx, err := s.net.Tx(ctx, txid)
	if err != nil {
		return err
	}
	fee, err := s.net.Fee(ctx, tx)
	if err != nil {
		return err
	}
	alices, bobs, err := s.book.close(s.ab, fee)
	if err != nil {
		return err
	}
	outs := map[int64]bool{}
	for _, out := range tx.TxOut {
		outs[out.Value] = true
	}
	if len(tx.TxOut) != 2 || !outs[alices] || !outs[bobs] {
		return fmt.Errorf("close %s: the outputs of %s are not %d and %d sat", s.ab.name, txid, alices, bobs)
	}
	s.t.say("transaction %s", txid)
	s.t.say("alice gets %s, bob %s, the miners %s", show.Sat(alices), show.Sat(bobs), show.Sat(fee))
	return nil
}

// closeOne closes alice-bob and mines until both call it closed.
func (s *story) closeOne(ctx context.Context) (txid chainhash.Hash, err error) {
	point, index := s.points[s.ab][:64], uint32(0)
	if _, err := fmt.Sscanf(s.points[s.ab][65:], "%d", &index); err != nil {
		return txid, err
	}
	stream, err := s.alice.Lightning.CloseChannel(ctx, &lnrpc.CloseChannelRequest{
		ChannelPoint: &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: point}, OutputIndex: index},
		SatPerVbyte:  closeRate,
	})
	if err != nil {
		return txid, err
	}
	for mined := false; ; {
		update, err := stream.Recv()
		if err != nil {
			return txid, err
		}
		switch u := update.Update.(type) {
		case *lnrpc.CloseStatusUpdate_ClosePending:
			if mined { // bob's own transaction, which came too late
				continue
			}
			mined = true
			copy(txid[:], u.ClosePending.Txid)
			s.t.wait("mining %d blocks", confirms)
			if err := s.net.Confirm(ctx, confirms, txid); err != nil {
				return txid, err
			}
		case *lnrpc.CloseStatusUpdate_ChanClose:
			if !u.ChanClose.Success {
				return txid, errors.New("alice says that it did not succeed")
			}
			copy(txid[:], u.ChanClose.ClosingTxid)
			return txid, nil
		}
	}
}

func (s *story) finish(ctx context.Context) error {
	if err := s.check(ctx, "After"); err != nil {
		return err
	}
	if diff := s.book.conserved(); diff != 0 {
		return fmt.Errorf("%s are missing in the books", show.Msat(diff))
	}
	s.t.say("%s came from the miner, %s went to the miners as fees, all the rest is above: nothing is lost.",
		show.Sat(s.book.deposits), show.Sat(s.book.chainFee))
	s.t.chapter("Every figure is right.")
	return nil
}
