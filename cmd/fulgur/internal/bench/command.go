package bench

import (
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/command"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/local"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
)

// maxConcurrency stays below what a channel carries at once (BOLT 2: 483 HTLCs).
const maxConcurrency = 400

// options are what was asked for.
type options struct {
	hops        int
	concurrency []int
	payments    int
	amount      int64 // msat
	warmup      int
}

// Command is `fulgur bench`.
func Command(out io.Writer, term bool) *cli.Command {
	return &cli.Command{
		Name: "bench", Category: "On this machine", Usage: "measure payments over a line of local nodes",
		Description: "Starts btcd on regtest and two or three fulgurd, pays, and prints payments per second, latencies,\n" +
			"processor time and disk writes for each concurrency.\n\n" +
			"Example: fulgur bench --hops=2 --concurrency=1,10,50 --payments=500",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "hops", Value: 1, Usage: "channels that each payment goes over: 1 (a-b) or 2 (a-b-c)"},
			&cli.StringFlag{Name: "concurrency", Value: "1,10,50", Usage: "payments at the same time; one round for each number"},
			&cli.IntFlag{Name: "payments", Value: 500, Usage: "payments in each round"},
			&cli.StringFlag{Name: "amount", Value: "1000", Usage: "of each payment, in satoshis or with a unit"},
			&cli.IntFlag{Name: "warmup", Value: 20, Usage: "payments before the first round that do not count"},
			&cli.StringFlag{Name: "btcd", Usage: "`PATH` of the btcd to run (default: beside fulgur)"},
			&cli.StringFlag{Name: "fulgurd", Usage: "`PATH` of the fulgurd to run (default: beside fulgur)"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			o, err := read(c)
			if err != nil {
				return err
			}
			r, err := run(ctx, o, local.Config{Btcd: c.String("btcd"), Fulgurd: c.String("fulgurd")}, term)
			if err != nil {
				return err
			}
			if c.Bool("json") || !term {
				return show.Value(out, r)
			}
			r.print(out)
			return nil
		},
	}
}

func read(c *cli.Command) (o options, err error) {
	o = options{hops: c.Int("hops"), payments: c.Int("payments"), warmup: c.Int("warmup")}
	for _, text := range strings.Split(c.String("concurrency"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > maxConcurrency {
			return o, command.Usage("--concurrency=%s: numbers from 1 to %d, with commas between them", c.String("concurrency"), maxConcurrency)
		}
		o.concurrency = append(o.concurrency, n)
	}
	if o.amount, err = show.ParseMsat(c.String("amount"), 1000); err != nil {
		return o, command.Usage("--amount: %v", err)
	}
	switch {
	case c.NArg() > 0:
		err = command.Usage("bench takes no arguments, %q is too much", c.Args().First())
	case o.hops != 1 && o.hops != 2:
		err = command.Usage("--hops=%d: 1 or 2", o.hops)
	case o.payments < 1 || o.warmup < 0:
		err = command.Usage("--payments=%d --warmup=%d: there have to be some", o.payments, o.warmup)
	case o.amount < 1:
		err = command.Usage("--amount=%s: more than nothing", c.String("amount"))
	case o.need() > maxChannel:
		err = command.Usage("%s would have to go over a channel, %s fit: choose a smaller --amount or fewer --payments",
			show.Sat(o.need()), show.Sat(int64(maxChannel)))
	}
	return o, err
}

// Channel sizes in satoshis.
const (
	minChannel = 1_000_000
	maxChannel = 15_000_000 // some below 2^24, for fees and reserves
)

// need is what goes over the first channel in the worst case, with room for the
// reserve, the commitment's fee and the fees of the way.
func (o options) need() int64 {
	each := o.amount + o.amount/1000 + 2000
	count := int64(o.payments*len(o.concurrency) + o.warmup)
	if each > maxChannel*1000/count {
		return maxChannel + 1
	}
	return each*count/1000*11/10 + minChannel/2
}

// run measures in a directory of its own.
func run(ctx context.Context, o options, cfg local.Config, term bool) (r *report, err error) {
	if cfg.Dir, err = os.MkdirTemp("", "fulgur-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(cfg.Dir)
	told := show.StartProgress(os.Stderr, term, "starting the nodes")
	defer told.Stop()
	l, err := newLine(ctx, o, cfg)
	if l != nil {
		defer l.net.Stop()
	}
	if err != nil {
		return nil, err
	}
	told.Step("warming up")
	if _, err := l.round(ctx, min(10, slices.Max(o.concurrency)), o.warmup, o.amount); err != nil {
		return nil, err
	}
	r = &report{Hops: o.hops, AmountMsat: o.amount, Payments: o.payments}
	for _, n := range o.concurrency {
		told.Step("%d payments, %d at a time", o.payments, n)
		figures, err := l.round(ctx, n, o.payments, o.amount)
		if err != nil {
			return nil, err
		}
		r.Rounds = append(r.Rounds, figures)
	}
	return r, nil
}
