package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// round pays so many invoices, so many at a time. The invoices are made before.
func (l *line) round(ctx context.Context, concurrency, payments int, msat int64) (figures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	invoices, err := l.invoices(ctx, payments, msat)
	if err != nil {
		return figures{}, err
	}
	queue := make(chan string, payments)
	for _, inv := range invoices {
		queue <- inv
	}
	close(queue)
	var mu sync.Mutex
	var took []time.Duration
	before, begun := l.usage(ctx), time.Now()
	var workers sync.WaitGroup
	for range min(concurrency, payments) {
		workers.Go(func() {
			for inv := range queue {
				start := time.Now()
				if err := l.pay(ctx, inv); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	wall := time.Since(begun)
	if err := context.Cause(ctx); err != nil {
		return figures{}, err
	}
	slices.Sort(took)
	return summary(concurrency, took, wall, l.usage(ctx).minus(before)), nil
}

func (l *line) invoices(ctx context.Context, n int, msat int64) ([]string, error) {
	payee := l.nodes[len(l.nodes)-1]
	list := make([]string, n)
	for i := range list {
		inv, err := payee.Lightning.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: msat})
		if err != nil {
			return nil, fmt.Errorf("make invoice: %w", err)
		}
		list[i] = inv.PaymentRequest
	}
	return list, nil
}

// payTime is how long one payment may take.
const payTime = 60

func (l *line) pay(ctx context.Context, invoice string) error {
	stream, err := l.nodes[0].Router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
		PaymentRequest: invoice, TimeoutSeconds: payTime, FeeLimitMsat: 1 << 40, NoInflightUpdates: true,
	})
	if err != nil {
		return err
	}
	for {
		p, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("pay: %w", err)
		}
		switch p.Status {
		case lnrpc.Payment_SUCCEEDED:
			return nil
		case lnrpc.Payment_FAILED:
			return errors.New("pay: the payment failed: " + p.FailureReason.String())
		default: // under way
		}
	}
}
