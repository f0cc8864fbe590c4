package soak

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// payer makes one payment after the other, as a careful program would: it asks what
// became of one before it forgets it.
type payer struct {
	s    *town
	rng  *mrand.Rand
	made *atomic.Int64
}

// traffic lets so many payers pay until stop is called, which waits for their last ones.
func (s *town) traffic(payers int) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	for i := range payers {
		p := payer{s: s, rng: mrand.New(mrand.NewPCG(*seed, uint64(100+i))), made: &s.made}
		all.Go(func() {
			for ctx.Err() == nil {
				p.one()
			}
		})
	}
	s.t.Cleanup(cancel)
	return func() {
		s.over.Store(time.Now().UnixNano())
		cancel()
		all.Wait()
	}
}

// one makes a payment of one kind or another between any two nodes.
func (p *payer) one() {
	i := p.rng.IntN(len(p.s.nodes))
	j := (i + 1 + p.rng.IntN(len(p.s.nodes)-1)) % len(p.s.nodes)
	from, to := p.s.nodes[i], p.s.nodes[j]
	switch p.rng.IntN(10) {
	case 0, 1: // in three parts and more
		p.pays(from, to, capacity*1000/40+p.rng.Int64N(capacity*1000/40), 8)
	case 2:
		p.held(from, to, 1000+p.rng.Int64N(5_000_000))
	default:
		p.pays(from, to, 1000+p.rng.Int64N(20_000_000), 1)
	}
}

func (p *payer) pays(from, to *rig.Node, msat int64, parts uint32) {
	var made *lnrpc.AddInvoiceResponse
	p.insist(func(ctx context.Context) (err error) {
		made, err = lnrpc.NewLightningClient(to.API()).AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: msat})
		return err
	})
	if made != nil {
		p.follow(from, made.RHash, made.PaymentRequest, msat, parts)
	}
}

// held pays an invoice whose payee takes its time, and then takes the money or not.
func (p *payer) held(from, to *rig.Node, msat int64) {
	preimage := make([]byte, 32)
	_, _ = rand.Read(preimage)
	hash := sha256.Sum256(preimage)
	var request string
	p.insist(func(ctx context.Context) error {
		a, err := invoicesrpc.NewInvoicesClient(to.API()).AddHoldInvoice(ctx, &invoicesrpc.AddHoldInvoiceRequest{Hash: hash[:], ValueMsat: msat})
		if err == nil {
			request = a.PaymentRequest
		}
		if err != nil && strings.Contains(err.Error(), "already") { // the answer to the first was lost
			inv, err := lnrpc.NewLightningClient(to.API()).LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: hash[:]})
			if err == nil {
				request = inv.PaymentRequest
			}
			return err
		}
		return err
	})
	if request == "" {
		return
	}
	var end sync.WaitGroup
	end.Go(func() { p.follow(from, hash[:], request, msat, 1) })
	wait, take := time.Duration(p.rng.IntN(3000))*time.Millisecond, p.rng.IntN(3) > 0
	time.Sleep(wait)
	p.insist(func(ctx context.Context) error {
		invoices := invoicesrpc.NewInvoicesClient(to.API())
		inv, err := lnrpc.NewLightningClient(to.API()).LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: hash[:]})
		switch {
		case err != nil:
			return err
		case inv.State == lnrpc.Invoice_ACCEPTED && take:
			_, err = invoices.SettleInvoice(ctx, &invoicesrpc.SettleInvoiceMsg{Preimage: preimage})
		case inv.State == lnrpc.Invoice_ACCEPTED || inv.State == lnrpc.Invoice_OPEN:
			_, err = invoices.CancelInvoice(ctx, &invoicesrpc.CancelInvoiceMsg{PaymentHash: hash[:]})
			if err != nil && strings.Contains(err.Error(), "settled") {
				return nil
			}
		}
		return err
	})
	end.Wait()
}

// follow begins a payment and follows it to its end over all restarts of the payer.
func (p *payer) follow(from *rig.Node, hash []byte, request string, msat int64, parts uint32) {
	begun := false
	var end *lnrpc.Payment
	p.insist(func(ctx context.Context) error {
		router := routerrpc.NewRouterClient(from.API())
		if begun {
			stream, err := router.TrackPaymentV2(ctx, &routerrpc.TrackPaymentRequest{PaymentHash: hash, NoInflightUpdates: true})
			if err == nil {
				end, err = rig.LastPayment(stream)
			}
			if status.Code(err) != codes.NotFound {
				return err
			} // it was not begun: nothing of it had become durable
		}
		begun = true // it may have begun, whatever the answer
		req := rig.PayRequest(request)
		req.MaxParts = parts
		if parts > 1 {
			req.MaxShardSizeMsat = uint64(msat/3 + 1)
		}
		stream, err := router.SendPaymentV2(ctx, req)
		if err == nil {
			end, err = rig.LastPayment(stream)
		}
		return err
	})
	if end != nil && end.Status == lnrpc.Payment_SUCCEEDED {
		p.made.Add(1)
	} else {
		time.Sleep(20 * time.Millisecond) // somebody is down, and will be a little longer
	}
}

// late: the traffic was stopped, and there was time enough for all that had begun. lnd has
// payments that never end.
func (s *town) late() bool {
	over := s.over.Load()
	return over != 0 && time.Since(time.Unix(0, over)) > rig.Patience
}

// passing are refusals that mean: not now.
var passing = []string{"catching up with the chain", "chain backend is away", "the chain looks stale", "in the process of starting", "wallet", "server is still"}

// insist repeats a call while the node that it is for is down or takes no new risk. The
// payment goes on when the town's does not: its end is asked for.
func (p *payer) insist(call func(context.Context) error) {
	for end := time.Now().Add(20 * rig.Patience); time.Now().Before(end) && !p.s.late(); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		err := call(ctx)
		cancel()
		if err == nil {
			return
		}
		now := rig.Away(err) || status.Code(err) == codes.DeadlineExceeded
		for _, text := range passing {
			now = now || strings.Contains(err.Error(), text)
		}
		if !now {
			p.s.wrong("a call is refused: %v", err)
			return
		}
	}
	p.s.wrong("a call was repeated in vain")
}
