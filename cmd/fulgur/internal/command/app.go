package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/cmd/internal/build"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// App is a command line and where it is typed.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	InTerm   bool // a person can answer questions
	Term     bool // Out is a terminal
	ErrTerm  bool // Err is a terminal
	// Secret asks for a password without showing it; nil reads a line of In.
	Secret func(prompt string) ([]byte, error)
	// Local are commands that need no daemon, from other packages.
	Local []*cli.Command

	lines       *lineReader
	interrupted <-chan struct{}
}

// errUsage marks what was typed wrong.
type errUsage struct{ text string }

func (e errUsage) Error() string { return e.text }

// Usage is an error in what was typed: the exit code says so.
func Usage(format string, args ...any) error { return errUsage{fmt.Sprintf(format, args...)} }

// Run does what was typed and returns the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	a.lines, a.interrupted = &lineReader{r: a.In}, ctx.Done()
	root := a.root()
	err := root.Run(ctx, args)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(a.Err, "fulgur: "+show.Clean(err.Error()))
	var p *client.Problem
	if errors.As(err, &p) && p.Hint != "" {
		fmt.Fprintln(a.Err, "        "+p.Hint)
	}
	var u errUsage
	if errors.As(err, &u) {
		fmt.Fprintln(a.Err, "        see: "+helpFor(root, args))
		return exitUsage
	}
	return exitError
}

// bashAlone goes before the library's script, which calls a function that bash has from the
// package bash-completion only. The words that it would find stand there already.
const bashAlone = "declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref() { :; }\n"

// helpFor is the command that shows the help that was needed.
func helpFor(root *cli.Command, args []string) string {
	for _, arg := range args[1:] {
		if c := root.Command(arg); c != nil && c.Name != "help" {
			return "fulgur " + c.Name + " --help"
		}
	}
	return "fulgur --help"
}

func (a *App) root() *cli.Command {
	root := &cli.Command{
		Name:  "fulgur",
		Usage: "speak to a Lightning node (fulgurd, or any daemon with lnd's interface)",
		Description: "Example: fulgur --network=regtest getinfo\n\n" +
			"Answers are tables in a terminal and JSON otherwise, or with --json.\n" +
			"fulgur COMMAND --help explains a command. fulgur demo shows it all on a private chain.",
		Flags:                 globalFlags(),
		Writer:                a.Out,
		ErrWriter:             a.Err,
		Version:               build.Text(),
		Suggest:               true,
		EnableShellCompletion: true,
		// urfave would end the process itself.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden, c.Category, c.Usage = false, groupStart, "print a completion script for bash, zsh or fish"
			if bash := c.Command("bash"); bash != nil {
				script := bash.Action
				bash.Action = func(ctx context.Context, c *cli.Command) error {
					fmt.Fprint(a.Out, bashAlone)
					return script(ctx, c)
				}
			}
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return unknown(c, name)
			}
			return cli.ShowRootCommandHelp(c)
		},
	}
	for _, group := range [][]spec{
		nodeCommands, debugCommands, unlockCommands, macaroonCommands, coinCommands, peerCommands, messageCommands, connectCommands, openCommands, fundCommands, channelCommands, closeCommands, rescueCommands,
		backupCommands, invoiceCommands, payCommands, paymentCommands, routeCommands, learnCommands, forwardCommands, reportCommands, graphCommands, liveCommands, watchCommands,
	} {
		for _, s := range group {
			root.Commands = append(root.Commands, a.command(s))
		}
	}
	root.Commands = append(root.Commands, a.profileCommand(), a.manual())
	root.Commands = append(root.Commands, a.Local...)
	root.CustomRootCommandHelpTemplate = rootHelp
	root.Metadata = map[string]any{"contents": func() string { return contents(root) }}
	catchUsage(root)
	return root
}

// catchUsage turns the parser's complaints into ours, everywhere.
func catchUsage(c *cli.Command) {
	c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error {
		return errUsage{err.Error()}
	}
	for _, sub := range c.Commands {
		catchUsage(sub)
	}
}

func unknown(c *cli.Command, name string) error {
	if near := cli.SuggestCommand(c.Commands, name); near != "" && near != "help" && near != "h" {
		return Usage("there is no command %q; do you mean %s?", name, near)
	}
	return Usage("there is no command %q", name)
}

func globalFlags() []cli.Flag {
	env := func(name string) cli.ValueSourceChain { return cli.EnvVars("FULGUR_" + name) }
	return []cli.Flag{
		&cli.StringFlag{Name: "profile", Aliases: []string{"p"}, Usage: "the node of this `NAME` (see: fulgur profile)", Sources: env("PROFILE")},
		&cli.StringFlag{Name: "rpcserver", Value: "localhost:" + client.DefaultPort, Usage: "`HOST:PORT` of the daemon", Sources: env("RPCSERVER")},
		&cli.StringFlag{Name: "fulgurdir", Aliases: []string{"lnddir"}, Value: client.DefaultDir(), Usage: "`DIRECTORY` of the daemon", Sources: env("DIR")},
		&cli.StringFlag{Name: "network", Aliases: []string{"n"}, Usage: strings.Join(client.Networks, ", ") + " (default: the one in the directory)", Sources: env("NETWORK")},
		&cli.StringFlag{Name: "tlscertpath", Usage: "certificate `FILE` of the daemon (default: tls.cert in the directory)", Sources: env("TLSCERTPATH")},
		&cli.StringFlag{Name: "macaroonpath", Usage: "macaroon `FILE` (default: the admin macaroon of the network)", Sources: env("MACAROONPATH")},
		&cli.Int64Flag{Name: "macaroontimeout", Value: 60, Usage: "`SECONDS` for which the macaroon that is sent can be used; 0: for ever"},
		&cli.StringFlag{Name: "macaroonip", Usage: "the macaroon that is sent can be used from this `ADDRESS` only"},
		&cli.BoolFlag{Name: "no-macaroons", Usage: "send no macaroon"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON, also in a terminal"},
	}
}

// target reads the global flags.
func target(c *cli.Command) (client.Target, error) {
	node, err := chosen(c)
	if err != nil {
		return client.Target{}, err
	}
	t := client.Target{
		Server: node.option(c, "rpcserver"), Dir: node.option(c, "fulgurdir"), Network: node.option(c, "network"),
		TLSCert: node.option(c, "tlscertpath"), Macaroon: node.option(c, "macaroonpath"), NoMacaroons: c.Bool("no-macaroons"),
		MacaroonLife: time.Duration(c.Int64("macaroontimeout")) * time.Second, MacaroonIP: c.String("macaroonip"),
	}
	if t.Network != "" && !contains(client.Networks, t.Network) {
		return t, Usage("--network=%s: it is one of %s", t.Network, strings.Join(client.Networks, ", "))
	}
	t.Fill()
	return t, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// lineReader reads answers line by line and no byte further.
type lineReader struct{ r io.Reader }

func (l *lineReader) line() (string, error) {
	if l.r == nil {
		return "", io.EOF
	}
	var line []byte
	for b := []byte{0}; ; {
		n, err := l.r.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return strings.TrimRight(string(line), "\r"), nil
		case n == 1 && len(line) < 64<<10:
			line = append(line, b[0])
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		}
	}
}

// readFile reads a file; "-" is standard input.
func (a *App) readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.In)
	}
	return os.ReadFile(path)
}
