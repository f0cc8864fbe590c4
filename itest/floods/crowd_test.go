package floods

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// target is the node that is flooded, with what is counted of a flood.
type target struct {
	addr string
	id   *btcec.PublicKey
	g    *graph

	dials, met      atomic.Int64 // connections begun; those that came to the node's init
	held, most      atomic.Int64 // of the latter at the same time
	messages, bytes atomic.Int64 // written
	brake           brake
}

// brake holds up those who flood, so that they leave the machine to the nodes.
type brake struct{ on atomic.Bool }

// run lets this process have its share of one processor until the flood is over.
func (b *brake) run(ctx context.Context) {
	const every = 4 * time.Millisecond
	allowed, at, used := time.Duration(0), time.Now(), ownBusy()
	for ctx.Err() == nil {
		time.Sleep(every)
		now, cpu := time.Now(), ownBusy()
		allowed += time.Duration(float64(now.Sub(at))**share) - (cpu - used)
		allowed = min(allowed, 2*every)
		at, used = now, cpu
		b.on.Store(allowed < 0)
	}
	b.on.Store(false)
}

// wait waits until there is something of the share left.
func (b *brake) wait(ctx context.Context) {
	for b.on.Load() && ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
	}
}

// features are those of a common node of today, without what would make the flooded one
// ask us for more.
var features = lnwire.NewFeatures(
	lnwire.DataLossProtectRequired, lnwire.GossipQueriesOptional, lnwire.VarOnionRequired, lnwire.StaticRemoteKeyRequired,
	lnwire.PaymentSecretRequired, lnwire.BasicMPPOptional, lnwire.AnchorsOptional, lnwire.RouteBlindingOptional,
	lnwire.OnionMessagesOptional, lnwire.ChannelTypeOptional, lnwire.ScidAliasOptional,
)

var chainHash = *chaincfg.RegressionNetParams.GenesisHash

// voice is one connection of a crowd.
type voice struct {
	to  *target
	ctx context.Context
	nc  net.Conn
	s   *noise.Session
	key *btcec.PrivateKey
	buf []byte
	in  bool // the node has said init
}

// writePatience is how long a node may leave a connection unread during a flood.
const writePatience = time.Minute

// dial connects with a key of its own.
func (t *target) dial(ctx context.Context, key *btcec.PrivateKey) (*voice, error) {
	t.brake.wait(ctx)
	t.dials.Add(1)
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { nc.Close() })
	return &voice{to: t, ctx: ctx, nc: nc, key: key}, nil
}

// greet shakes hands and says init.
func (v *voice) greet() error {
	_ = v.nc.SetDeadline(time.Now().Add(writePatience))
	ephemeral, err := btcec.NewPrivateKey()
	if err != nil {
		return err
	}
	shake := noise.NewInitiator(noise.NewKey(v.key), v.to.id, ephemeral)
	one, err := shake.ActOne()
	if err != nil {
		return err
	}
	if _, err := v.nc.Write(one); err != nil {
		return err
	}
	two := make([]byte, noise.ActTwoLen)
	if _, err := io.ReadFull(v.nc, two); err != nil {
		return err
	}
	three, s, err := shake.ActTwo(two)
	if err != nil {
		return err
	}
	v.s = s
	hello, err := lnwire.Marshal(&lnwire.Init{Features: features, Networks: []chainhash.Hash{chainHash}})
	if err != nil {
		return err
	}
	if v.buf, err = s.Sealer.Append(three, hello); err != nil {
		return err
	}
	_, err = v.nc.Write(v.buf)
	return err
}

// meet reads the node's init: only then the node has let us in.
func (v *voice) meet() (*lnwire.Init, error) {
	m, err := v.read()
	if err != nil {
		return nil, err
	}
	hello, ok := m.(*lnwire.Init)
	if !ok {
		return nil, errors.New("no init, but " + m.Type().String())
	}
	v.to.met.Add(1)
	n := v.to.held.Add(1)
	for most := v.to.most.Load(); n > most && !v.to.most.CompareAndSwap(most, n); most = v.to.most.Load() {
	}
	v.in = true
	return hello, nil
}

// read is the next message of the node.
func (v *voice) read() (lnwire.Message, error) {
	header := make([]byte, noise.HeaderLen)
	if _, err := io.ReadFull(v.nc, header); err != nil {
		return nil, err
	}
	n, err := v.s.Opener.Length(header)
	if err != nil {
		return nil, err
	}
	body := make([]byte, n+noise.TagLen)
	if _, err := io.ReadFull(v.nc, body); err != nil {
		return nil, err
	}
	if body, err = v.s.Opener.Open(body); err != nil {
		return nil, err
	}
	return lnwire.Unmarshal(body)
}

// drain takes what the node says from the wire and forgets it, until it hangs up.
func (v *voice) drain() {
	defer v.nc.Close()
	buf := make([]byte, 16<<10)
	for {
		if _, err := v.nc.Read(buf); err != nil {
			return
		}
	}
}

// close ends the connection.
func (v *voice) close() {
	v.nc.Close()
	if v.in {
		v.to.held.Add(-1)
	}
}

var errOver = errors.New("the flood is over")

// say seals messages into one write.
func (v *voice) say(plain ...[]byte) (err error) {
	v.to.brake.wait(v.ctx)
	if v.ctx.Err() != nil {
		return errOver
	}
	v.buf = v.buf[:0]
	for _, p := range plain {
		if v.buf, err = v.s.Sealer.Append(v.buf, p); err != nil {
			return err
		}
	}
	_ = v.nc.SetDeadline(time.Now().Add(writePatience))
	if _, err := v.nc.Write(v.buf); err != nil {
		return err
	}
	v.to.messages.Add(int64(len(plain)))
	v.to.bytes.Add(int64(len(v.buf)))
	return nil
}

// speech is what the nth connection of a crowd says. It returns when it has said it, or
// with an error when the node hangs up.
type speech func(v *voice, nth int) error

// crowd keeps n connections with fresh keys. When one has spoken, or the node hangs up,
// another one comes in its place.
func (t *target) crowd(ctx context.Context, n int, speak speech) {
	t.gather(ctx, n, func(ctx context.Context, nth int) error { return t.one(ctx, nth, speak) })
}

// gather keeps n of something going, each with a number of its own.
func (t *target) gather(ctx context.Context, n int, one func(context.Context, int) error) {
	var nth atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if one(ctx, int(nth.Add(1))-1) != nil {
					pause(ctx, 50*time.Millisecond) // turned away
				}
			}
		})
	}
	wg.Wait()
}

func (t *target) one(ctx context.Context, nth int, speak speech) error {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return err
	}
	v, err := t.dial(ctx, key)
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.greet(); err != nil {
		return err
	}
	if _, err := v.meet(); err != nil {
		return err
	}
	return speak(v, nth)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// hearing lets what the node says be read and forgotten while somebody speaks.
func hearing(speak speech) speech {
	return func(v *voice, nth int) error {
		go v.drain()
		return speak(v, nth)
	}
}

// hardOfHearing reads on two of three connections and on the third nothing at all.
func hardOfHearing(speak speech) speech {
	return func(v *voice, nth int) error {
		if nth%3 == 2 {
			return speak(v, nth)
		}
		return hearing(speak)(v, nth)
	}
}

// repeat says what next gives, a few at a time, without end.
func repeat(few int, next func() []byte) speech {
	return func(v *voice, _ int) error {
		plain := make([][]byte, few)
		for {
			for i := range plain {
				plain[i] = next()
			}
			if err := v.say(plain...); err != nil {
				return err
			}
		}
	}
}

// inTurn says prepared messages again and again, a few at a time, each connection from
// another place on.
func inTurn(few int, list [][]byte) speech {
	return func(v *voice, nth int) error {
		i := nth * few
		return repeat(few, func() []byte { i++; return list[i%len(list)] })(v, nth)
	}
}
