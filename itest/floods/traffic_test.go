package floods

import (
	"context"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// traffic is payments that begin at a steady pace, whether those before have ended or
// not, so that a node which stands still for a second is late for all of that second.
type traffic struct {
	from, to *rig.Node
	took     []time.Duration
	failed   int
	why      string // of the last that failed
}

// givenUp is how long a payment may take.
const givenUp = 30 * time.Second

// run pays until the time is over, and waits for the last of them.
func (p *traffic) run(ctx context.Context, d time.Duration) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	tick := time.NewTicker(time.Second / time.Duration(*pace))
	defer tick.Stop()
	end := time.After(d)
	for over := false; !over; {
		select {
		case <-tick.C:
			wg.Go(func() {
				took, why := p.pay(ctx)
				mu.Lock()
				defer mu.Unlock()
				p.took = append(p.took, took)
				if why != "" {
					p.failed++
					p.why = why
				}
			})
		case <-end:
			over = true
		}
	}
	wg.Wait()
}

// pay is one payment: how long it took its payer, and why it failed.
func (p *traffic) pay(ctx context.Context) (time.Duration, string) {
	ctx, cancel := context.WithTimeout(ctx, givenUp+10*time.Second)
	defer cancel()
	invoice, err := p.to.LN.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: 10_000})
	if err != nil {
		return givenUp, err.Error()
	}
	start := time.Now()
	stream, err := p.from.Router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
		PaymentRequest: invoice.PaymentRequest, TimeoutSeconds: int32(givenUp / time.Second), FeeLimitMsat: 1 << 40, NoInflightUpdates: true,
	})
	if err != nil {
		return givenUp, err.Error()
	}
	end, err := rig.LastPayment(stream)
	switch {
	case err != nil:
		return givenUp, err.Error()
	case end.Status != lnrpc.Payment_SUCCEEDED:
		return time.Since(start), end.FailureReason.String()
	}
	return time.Since(start), ""
}
