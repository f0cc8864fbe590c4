package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/command"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/local"
)

// Command is `fulgur demo`.
func Command(out io.Writer, term bool) *cli.Command {
	return &cli.Command{
		Name: "demo", Category: "On this machine", Usage: "see it all: three nodes on a private chain open channels, pay and close",
		Description: "Starts btcd on regtest and three fulgurd, lets them pay each other, checks every balance to the\n" +
			"millisatoshi and cleans up. The exit status is 0 only if every figure was right.\n\n" +
			"Example: fulgur demo --keep",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "keep", Usage: "leave it running and print the commands with which to play on"},
			&cli.StringFlag{Name: "btcd", Usage: "`PATH` of the btcd to run (default: beside fulgur)"},
			&cli.StringFlag{Name: "fulgurd", Usage: "`PATH` of the fulgurd to run (default: beside fulgur)"},
			&cli.BoolFlag{Name: "in-background", Hidden: true, Usage: "what --keep starts"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.NArg() > 0 {
				return command.Usage("demo takes no arguments, %q is too much", c.Args().First())
			}
			if c.Bool("keep") && !c.Bool("in-background") {
				return detach(ctx, out, c)
			}
			release := func() {}
			if c.Bool("in-background") {
				hideStay()
				ctx, release = tethered(ctx)
			}
			return run(ctx, out, term, local.Config{Btcd: c.String("btcd"), Fulgurd: c.String("fulgurd")}, c.Bool("keep"), release)
		},
	}
}

// run plays in a directory of its own, which goes away with the processes.
func run(ctx context.Context, out io.Writer, term bool, cfg local.Config, keep bool, release func()) (err error) {
	if cfg.Dir, err = os.MkdirTemp("", "fulgur-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(cfg.Dir)
	t := newTeller(out, term)
	defer t.stop()
	s := &story{t: t, cfg: cfg, book: newBook("alice", "bob", "carol")}
	defer s.end() // before the directory goes, also when there is a panic
	if err := s.play(ctx); err != nil {
		t.stop()
		if ctx.Err() != nil {
			return errors.New("interrupted; everything is stopped and removed")
		}
		s.logs()
		return fmt.Errorf("demo: %w", err)
	}
	if !keep {
		s.t.say("Everything is stopped and removed. fulgur demo --keep leaves it running, to play on.")
		return nil
	}
	s.howToPlayOn()
	release()
	if err := handOver(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
