package floods

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// Payments are made by a process of their own, so that what is measured are the nodes,
// and not how busy those are who flood.

// payerEnv holds the orders of that process; without it this is the test.
const payerEnv = "FULGUR_FLOODS_PAYER"

// orders are what it is told.
type orders struct {
	From, To door
	Pace     int           // payments begun in a second
	For      time.Duration // 0: one payment
}

// door is how a node is reached.
type door struct{ RPC, Cert, Macaroon string }

func doorOf(n *rig.Node) door {
	return door{n.RPC, filepath.Join(n.Dir, "tls.cert"), filepath.Join(n.ChainDir(), "admin.macaroon")}
}

// takings are what it found.
type takings struct {
	Took   []time.Duration
	Failed int
	Why    string // the last failed
}

// givenUp is how long a payment may take.
const givenUp = 30 * time.Second

// begin starts the payments and returns as soon as they begin; wait waits for the last of
// them.
func (o orders) begin() (wait func() (*takings, error), err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), payerEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = in
	p, err := rig.Spawn(cmd)
	in.Close()
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the payer does not begin: %w", err)
	}
	return func() (*takings, error) {
		defer out.Close()
		t := new(takings)
		err := json.NewDecoder(lines).Decode(t)
		<-p.Done
		return t, errors.Join(err, p.Err)
	}, nil
}

// pay is the process: it says when it begins, and at the end what it found.
func pay(text string) error {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	from, err := o.From.open()
	if err != nil {
		return err
	}
	to, err := o.To.open()
	if err != nil {
		return err
	}
	p := &payer{from: routerrpc.NewRouterClient(from), to: lnrpc.NewLightningClient(to)}
	for _, c := range []*grpc.ClientConn{from, to} { // not a part of the first payment
		if _, err := lnrpc.NewLightningClient(c).GetInfo(context.Background(), &lnrpc.GetInfoRequest{}); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	if o.For == 0 {
		p.one()
	} else {
		p.steadily(o.Pace, o.For)
	}
	return json.NewEncoder(os.Stdout).Encode(p.takings)
}

func (d door) open() (*grpc.ClientConn, error) {
	cert, err := credentials.NewClientTLSFromFile(d.Cert, "")
	if err != nil {
		return nil, err
	}
	macaroon, err := os.ReadFile(d.Macaroon)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(d.RPC, grpc.WithTransportCredentials(cert), grpc.WithPerRPCCredentials(rig.Bearer(macaroon)))
}

// payer makes payments and notes how long each took.
type payer struct {
	from routerrpc.RouterClient
	to   lnrpc.LightningClient

	mu sync.Mutex
	takings
}

// steadily begins payments at a pace, whether those before have ended or not, so that a
// node which stands still for a second is late for all of that second.
func (p *payer) steadily(pace int, d time.Duration) {
	var wg sync.WaitGroup
	start := time.Now()
	for i := 0; ; i++ {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(pace))
		if due.Sub(start) >= d {
			break
		}
		time.Sleep(time.Until(due))
		wg.Go(p.one)
	}
	wg.Wait()
}

func (p *payer) one() {
	took, why := p.pay()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Took = append(p.Took, took)
	if why != "" {
		p.Failed++
		p.Why = why
	}
}

// pay is one payment: how long it took its payer, and why it failed.
func (p *payer) pay() (time.Duration, string) {
	ctx, cancel := context.WithTimeout(context.Background(), givenUp+10*time.Second)
	defer cancel()
	invoice, err := p.to.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: 10_000})
	if err != nil {
		return givenUp, err.Error()
	}
	start := time.Now()
	stream, err := p.from.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
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
