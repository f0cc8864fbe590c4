// Command fulgur is the command line of a Lightning node: it speaks to fulgurd, or to
// any daemon with lnd's interface, over gRPC. It owns the terminal and the signals;
// internal/command holds what can be typed.
//
//	fulgur --network=regtest getinfo
//	fulgur demo
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/bench"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/command"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	app := &command.App{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerm: isTerminal(os.Stdin), Term: isTerminal(os.Stdout), ErrTerm: isTerminal(os.Stderr),
	}
	app.Local = []*cli.Command{demo.Command(app.Out, app.Term), bench.Command(app.Out, app.Term)}
	restore := func() {}
	if app.InTerm {
		app.Secret = secret
		// A password that is given up half-way must not leave a terminal that shows nothing.
		if before, err := term.GetState(int(os.Stdin.Fd())); err == nil {
			restore = func() { _ = term.Restore(int(os.Stdin.Fd()), before) }
		}
	}
	code := app.Run(ctx, os.Args)
	stop()
	restore()
	os.Exit(code)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// secret asks on the terminal without showing what is typed.
func secret(prompt string) ([]byte, error) {
	fmt.Fprint(os.Stderr, prompt)
	answer, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	return answer, err
}
