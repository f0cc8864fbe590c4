package command

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/urfave/cli/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// Groups of the help text.
const (
	groupStart    = "Get started"
	groupPeers    = "Peers"
	groupChannels = "Channels"
	groupPay      = "Pay and receive"
	groupForward  = "Routing"
	groupGraph    = "The graph"
	groupCoins    = "Wallet"
	groupBackups  = "Backups"
	groupWatch    = "Watch"
	groupAdmin    = "Admin"
	groupLocal    = "On this machine" // of commands from other packages
)

// spec describes a command.
type spec struct {
	name, group string
	usage       string // one line
	args        string // what may follow, for the help text
	max         int    // so many arguments at most; flags do for them too
	more        string // further explanation
	example     string // one line
	flags       []cli.Flag
	open        bool // needs no macaroon
	do          func(ctx context.Context, c *call) error
	subs        []spec
	aliases     []string
}

// call is one command being carried out.
type call struct {
	app    *App
	cmd    *cli.Command
	conn   *grpc.ClientConn
	target client.Target
	json   bool
	next   int // the next argument that has not been taken
	told   *show.Progress
}

func (a *App) command(s spec) *cli.Command {
	text := s.more
	if s.example != "" {
		text = strings.TrimSpace(text + "\n\nExample: fulgur " + s.example)
	}
	cmd := &cli.Command{
		Name: s.name, Aliases: s.aliases, Usage: s.usage, ArgsUsage: s.args, Category: s.group, Description: text, Flags: fresh(s.flags),
		HideHelpCommand: true,
	}
	for _, sub := range s.subs {
		cmd.Commands = append(cmd.Commands, a.command(sub))
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error { return a.carryOut(ctx, cmd, s) }
	return cmd
}

func (a *App) carryOut(ctx context.Context, cmd *cli.Command, s spec) error {
	if s.do == nil {
		if name := cmd.Args().First(); name != "" {
			return unknown(cmd, name)
		}
		return cli.ShowSubcommandHelp(cmd)
	}
	if n := cmd.NArg(); n > s.max {
		return Usage("%s: %d arguments, at most %d are understood", s.name, n, s.max)
	}
	t, err := target(cmd)
	if err != nil {
		return err
	}
	c := &call{app: a, cmd: cmd, target: t, json: cmd.Bool("json") || !a.Term}
	defer c.quiet()
	return c.explain(ctx, s.do(ctx, c))
}

// explain gives an error the words that help; an interrupt is one too.
func (c *call) explain(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return &client.Problem{Text: "interrupted", Cause: err}
	}
	return client.Explain(err, c.target)
}

// dial connects on first use, so that what was typed wrong is told without it.
func (c *call) dial(ctx context.Context, open bool) (grpc.ClientConnInterface, error) {
	if c.conn != nil {
		return c.conn, nil
	}
	connect := client.Dial
	if open {
		connect = func(_ context.Context, t client.Target) (*grpc.ClientConn, error) { return client.DialOpen(t) }
	}
	conn, err := connect(ctx, c.target)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	c.conn = conn
	c.told = show.StartProgress(c.app.Err, c.app.ErrTerm, "waiting for the daemon")
	return conn, nil
}

func (c *call) lightning(ctx context.Context) (lnrpc.LightningClient, error) {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return nil, err
	}
	return lnrpc.NewLightningClient(conn), nil
}

func (c *call) router(ctx context.Context) (routerrpc.RouterClient, error) {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return nil, err
	}
	return routerrpc.NewRouterClient(conn), nil
}

func (c *call) invoices(ctx context.Context) (invoicesrpc.InvoicesClient, error) {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return nil, err
	}
	return invoicesrpc.NewInvoicesClient(conn), nil
}

// step tells what is being waited for.
func (c *call) step(format string, args ...any) {
	if c.told == nil {
		c.told = show.StartProgress(c.app.Err, c.app.ErrTerm, "")
	}
	c.told.Step(format, args...)
}

// quiet ends the telling, before anything is printed.
func (c *call) quiet() {
	if c.told != nil {
		c.told.Stop()
		c.told = nil
	}
}

// print prints an answer: as JSON, or as people read it.
func (c *call) print(m proto.Message, human func(w io.Writer)) error {
	c.quiet()
	if c.json || human == nil {
		return show.JSON(c.app.Out, m)
	}
	human(c.app.Out)
	return nil
}

// result prints an answer that is not a message.
func (c *call) result(v any, human func(w io.Writer)) error {
	c.quiet()
	if c.json || human == nil {
		return show.Value(c.app.Out, v)
	}
	human(c.app.Out)
	return nil
}

// qr draws a code, if it was asked for. It is for eyes, so it goes where they are.
func (c *call) qr(text string) {
	if !c.cmd.Bool("qr") {
		return
	}
	w := c.app.Out
	if c.json {
		w = c.app.Err
	}
	show.QR(w, text)
}

// take is the value of a flag, or else the next argument.
func (c *call) take(flag string) string {
	if c.cmd.IsSet(flag) {
		return c.cmd.String(flag)
	}
	text := c.cmd.Args().Get(c.next)
	c.next++
	return text
}

// need is take for what cannot be left out.
func (c *call) need(flag string) (string, error) {
	text := c.take(flag)
	if text == "" {
		return "", Usage("%s: %s is missing", c.cmd.Name, flag)
	}
	return text, nil
}

// bytes is need for hex of a known length.
func (c *call) bytes(flag string, size int) ([]byte, error) {
	text, err := c.need(flag)
	if err != nil {
		return nil, err
	}
	return parseHex(flag, text, size)
}

func parseHex(name, text string, size int) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || size > 0 && len(raw) != size {
		return nil, Usage("%s: %q is not the hex of %d bytes", name, text, size)
	}
	return raw, nil
}

// amount reads satoshis; empty is 0.
func amount(name, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	sat, err := show.ParseSat(text)
	if err != nil {
		return 0, Usage("%s: %v", name, err)
	}
	return sat, nil
}

// number reads a whole number that is not negative; empty is 0.
func number(name, text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	var n uint64
	if _, err := fmt.Sscanf(text+"\n", "%d\n", &n); err != nil {
		return 0, Usage("%s: %q is no whole number", name, text)
	}
	return n, nil
}

// ask puts a question that is answered yes or no.
func (c *call) ask(question string) (bool, error) {
	c.quiet()
	fmt.Fprint(c.app.Err, question+" (yes/no): ")
	answer, err := prompted(c.app, c.app.lines.line)
	if err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// errDeclined is the end of a command that the user did not confirm.
var errDeclined = errors.New("not confirmed, nothing was done")

// confirm asks before money moves. Who cannot be asked has to say --force.
func (c *call) confirm(question string) error {
	if c.cmd.Bool("force") {
		return nil
	}
	if !c.app.InTerm {
		return Usage("%s: nobody is there to confirm; add --force", c.cmd.Name)
	}
	yes, err := c.ask(question)
	if err != nil {
		return err
	}
	if !yes {
		return errDeclined
	}
	return nil
}

// Flags that many commands have.

func flagText(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Usage: usage} }
func flagBool(name, usage string) cli.Flag { return &cli.BoolFlag{Name: name, Usage: usage} }
func flagInt(name, usage string) cli.Flag {
	return &cli.Int64Flag{Name: name, Usage: usage, HideDefault: true}
}
func flagUint(name, usage string) cli.Flag {
	return &cli.Uint64Flag{Name: name, Usage: usage, HideDefault: true}
}
func flagTexts(name, usage string) cli.Flag { return &cli.StringSliceFlag{Name: name, Usage: usage} }

// fresh copies flags: a flag remembers what was typed, and the lists above are for
// every command line that is ever built.
func fresh(flags []cli.Flag) []cli.Flag {
	out := make([]cli.Flag, len(flags))
	for i, f := range flags {
		c := reflect.New(reflect.TypeOf(f).Elem())
		c.Elem().Set(reflect.ValueOf(f).Elem())
		out[i] = c.Interface().(cli.Flag)
	}
	return out
}
