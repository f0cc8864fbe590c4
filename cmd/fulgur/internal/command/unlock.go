package command

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

const seedWords = 24

var unlockCommands = []spec{{
	name: "create", group: groupStart, usage: "make the wallet, from a new seed or an old one", open: true,
	more: "Asks for a password and for a seed. Without a terminal the answers are read from standard input, line by line. " +
		"With a backup of channels, these are asked back from their peers once the wallet is made from its old seed.",
	example: "create --multi_file=channels.backup", do: create,
	flags: append([]cli.Flag{
		flagBool("stateless_init", "leave no macaroon on the daemon's disk, print the admin macaroon instead"),
	}, backupFlags...),
}, {
	name: "unlock", group: groupStart, usage: "open the wallet with its password", open: true,
	more:    "Asks for the password. Without a terminal it is read from standard input.",
	example: "unlock --stdin < password.txt", do: unlock,
	flags: []cli.Flag{
		flagBool("stdin", "read the password from standard input"),
		flagInt("recovery_window", "look for coins on so many addresses ahead; if they are more than before, in old blocks, too"),
		flagBool("stateless_init", "as it was with create"),
	},
}, {
	name: "changepassword", group: groupAdmin, usage: "give the wallet another password, and open it", open: true,
	more: "The wallet must be locked: restart the daemon first. Asks for the old password (empty for a wallet that was made with " +
		"--noseedbackup) and for the new one. Without a terminal they are read from standard input, line by line. " +
		"A daemon whose wallet was made with --stateless_init needs it here, too.",
	example: "changepassword --new_mac_root_key", do: changePassword,
	flags: []cli.Flag{
		flagBool("stateless_init", "leave no macaroon on the daemon's disk, give out the admin macaroon instead"),
		flagText("save_to", "with --stateless_init: `FILE` for the admin macaroon instead of the screen"),
		flagBool("new_mac_root_key", "another root key: all macaroons of the old one are void"),
	},
}}

// secret asks for something that must not be seen.
func (c *call) secret(prompt string) ([]byte, error) {
	c.quiet()
	if c.app.Secret != nil {
		return prompted(c.app, func() ([]byte, error) { return c.app.Secret(prompt) })
	}
	line, err := prompted(c.app, c.app.lines.line)
	return []byte(line), err
}

// line asks for something that may be seen.
func (c *call) line(prompt string) (string, error) {
	c.quiet()
	fmt.Fprint(c.app.Err, prompt)
	line, err := prompted(c.app, c.app.lines.line)
	return strings.TrimSpace(line), err
}

// prompted waits for what the user types. An interrupt ends the wait at once: a read of a
// terminal knows of no context, and goes on until the process ends.
func prompted[T any](a *App, read func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		v, err := read()
		got <- answer{v, err}
	}()
	select {
	case is := <-got:
		return is.value, is.err
	case <-a.interrupted:
		if a.InTerm {
			fmt.Fprintln(a.Err) // the prompt's line ends
		}
		var none T
		return none, context.Canceled
	}
}

// fits looks whether the daemon is there and its wallet in this state, before the user is
// asked for anything.
func (c *call) fits(ctx context.Context, conn grpc.ClientConnInterface, want lnrpc.WalletState) error {
	now, err := lnrpc.NewStateClient(conn).GetState(ctx, &lnrpc.GetStateRequest{})
	if status.Code(err) == codes.Unimplemented {
		return nil // the daemon will say it itself
	}
	if err != nil {
		return err
	}
	switch now.State {
	case want, lnrpc.WalletState_WAITING_TO_START:
		return nil
	case lnrpc.WalletState_NON_EXISTING:
		return &client.Problem{Text: "there is no wallet yet", Hint: "make one: fulgur create"}
	case lnrpc.WalletState_LOCKED:
		return &client.Problem{Text: "wallet already exists", Hint: "open it: fulgur unlock"}
	case lnrpc.WalletState_UNLOCKED, lnrpc.WalletState_RPC_ACTIVE, lnrpc.WalletState_SERVER_ACTIVE:
	}
	if want == lnrpc.WalletState_NON_EXISTING {
		return &client.Problem{Text: "wallet already exists", Hint: "and it is open: fulgur getinfo"}
	}
	return &client.Problem{Text: "wallet already unlocked", Hint: "to change its password, restart the daemon first"}
}

func unlock(ctx context.Context, c *call) error {
	conn, err := c.dial(ctx, true)
	if err != nil {
		return err
	}
	if err = c.fits(ctx, conn, lnrpc.WalletState_LOCKED); err != nil {
		return err
	}
	var password []byte
	if c.cmd.Bool("stdin") {
		var line string
		line, err = prompted(c.app, c.app.lines.line)
		password = []byte(line)
	} else {
		password, err = c.secret("Wallet password: ")
	}
	if err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	c.step("opening the wallet")
	_, err = lnrpc.NewWalletUnlockerClient(conn).UnlockWallet(ctx, &lnrpc.UnlockWalletRequest{
		WalletPassword: password, RecoveryWindow: int32(c.cmd.Int64("recovery_window")), StatelessInit: c.cmd.Bool("stateless_init"),
	})
	if err != nil {
		return err
	}
	if err := c.untilActive(ctx, conn); err != nil {
		return fmt.Errorf("the wallet is open, but %w", err)
	}
	return c.result(map[string]any{}, func(w io.Writer) { fmt.Fprintln(w, "the wallet is open") })
}

// untilActive waits until the daemon with its wallet open answers all calls: the next
// command is typed when this one is done.
func (c *call) untilActive(ctx context.Context, conn grpc.ClientConnInterface) error {
	c.step("%s", stateWords[lnrpc.WalletState_UNLOCKED])
	defer c.quiet()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	states, err := lnrpc.NewStateClient(conn).SubscribeState(ctx, &lnrpc.SubscribeStateRequest{})
	for err == nil {
		var s *lnrpc.SubscribeStateResponse
		if s, err = states.Recv(); err != nil {
			break
		}
		switch s.State {
		case lnrpc.WalletState_RPC_ACTIVE, lnrpc.WalletState_SERVER_ACTIVE:
			return nil
		case lnrpc.WalletState_WAITING_TO_START, lnrpc.WalletState_NON_EXISTING, lnrpc.WalletState_LOCKED, lnrpc.WalletState_UNLOCKED:
			c.step("%s", stateWords[s.State])
		}
	}
	return fmt.Errorf("the node has not started: %w", err)
}

// create makes a wallet in conversation.
func create(ctx context.Context, c *call) error {
	backups, err := c.snapshot()
	if err != nil {
		return err
	}
	conn, err := c.dial(ctx, true)
	if err != nil {
		return err
	}
	if err := c.fits(ctx, conn, lnrpc.WalletState_NON_EXISTING); err != nil {
		return err
	}
	password, err := c.newPassword()
	if err != nil {
		return err
	}
	req := &lnrpc.InitWalletRequest{WalletPassword: password, StatelessInit: c.cmd.Bool("stateless_init"), ChannelBackups: backups}
	unlocker := lnrpc.NewWalletUnlockerClient(conn)
	old := backups != nil // which is of no use without its seed
	if !old {
		if old, err = c.ask("Do you have a seed of 24 words already?"); err != nil {
			return err
		}
	}
	if old {
		err = c.oldSeed(req)
	} else {
		err = c.newSeed(ctx, unlocker, req)
	}
	if err != nil {
		return err
	}
	c.step("making the wallet")
	answer, err := unlocker.InitWallet(ctx, req)
	if err != nil {
		return err
	}
	out := map[string]any{}
	if req.StatelessInit {
		out["admin_macaroon"] = hex.EncodeToString(answer.AdminMacaroon)
	}
	started := c.untilActive(ctx, conn)
	err = c.result(out, func(w io.Writer) {
		fmt.Fprintln(w, "the wallet is made and open")
		if req.StatelessInit {
			fmt.Fprintf(w, "admin macaroon, shown this once: %x\n", answer.AdminMacaroon)
		}
	})
	if started != nil {
		return fmt.Errorf("the wallet is made and open, but %w", started)
	}
	return err
}

func (c *call) newPassword() ([]byte, error) {
	first, err := c.secret("New wallet password (8 characters at least): ")
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	if len(first) < 8 {
		return nil, errors.New("a password of 8 characters at least is needed")
	}
	again, err := c.secret("The same again: ")
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	if !bytes.Equal(first, again) {
		return nil, errors.New("these were two different passwords")
	}
	return first, nil
}

func (c *call) oldSeed(req *lnrpc.InitWalletRequest) error {
	text, err := c.line("The 24 words, separated by spaces: ")
	if err != nil {
		return fmt.Errorf("read the seed: %w", err)
	}
	req.CipherSeedMnemonic = strings.Fields(strings.ToLower(text))
	if n := len(req.CipherSeedMnemonic); n != seedWords {
		return fmt.Errorf("a seed has %d words, these are %d", seedWords, n)
	}
	if req.AezeedPassphrase, err = c.secret("Passphrase of the seed (empty if it has none): "); err != nil {
		return fmt.Errorf("read the passphrase: %w", err)
	}
	window, err := c.line("How many addresses to look ahead for coins (empty: 2500): ")
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if window == "" {
		window = "2500"
	}
	n, err := number("window", window)
	req.RecoveryWindow = int32(min(n, 1<<30))
	return err
}

func (c *call) newSeed(ctx context.Context, unlocker lnrpc.WalletUnlockerClient, req *lnrpc.InitWalletRequest) error {
	passphrase, err := c.secret("Passphrase for the new seed (empty for none): ")
	if err != nil {
		return fmt.Errorf("read the passphrase: %w", err)
	}
	seed, err := unlocker.GenSeed(ctx, &lnrpc.GenSeedRequest{AezeedPassphrase: passphrase})
	if err != nil {
		return err
	}
	req.CipherSeedMnemonic, req.AezeedPassphrase = seed.CipherSeedMnemonic, passphrase
	c.quiet()
	fmt.Fprintln(c.app.Err, "\nThese words are the wallet. Write them down now; they are not shown again.")
	for i, word := range seed.CipherSeedMnemonic {
		if i%4 == 0 {
			fmt.Fprintln(c.app.Err)
		}
		fmt.Fprintf(c.app.Err, "  %2d. %-10s", i+1, word)
	}
	fmt.Fprint(c.app.Err, "\n\n")
	written, err := c.ask("Have you written them down?")
	if err == nil && !written {
		err = errDeclined
	}
	return err
}

func changePassword(ctx context.Context, c *call) error {
	req := &lnrpc.ChangePasswordRequest{StatelessInit: c.cmd.Bool("stateless_init"), NewMacaroonRootKey: c.cmd.Bool("new_mac_root_key")}
	file := c.cmd.String("save_to")
	if file != "" && !req.StatelessInit {
		return Usage("changepassword: --save_to is for --stateless_init")
	}
	conn, err := c.dial(ctx, true)
	if err != nil {
		return err
	}
	if err = c.fits(ctx, conn, lnrpc.WalletState_LOCKED); err != nil {
		return err
	}
	if req.CurrentPassword, err = c.secret("Current wallet password: "); err != nil {
		return fmt.Errorf("read the password: %w", err)
	}
	if req.NewPassword, err = c.newPassword(); err != nil {
		return err
	}
	c.step("opening the wallet")
	answer, err := lnrpc.NewWalletUnlockerClient(conn).ChangePassword(ctx, req)
	if err != nil {
		return err
	}
	out := map[string]any{}
	switch {
	case file != "":
		if err := saveMacaroon(file, answer.AdminMacaroon); err != nil {
			return fmt.Errorf("the password is changed, but the admin macaroon could not be saved: %w; it is %x", err, answer.AdminMacaroon)
		}
		out["saved_to"] = file
	case req.StatelessInit:
		out["admin_macaroon"] = hex.EncodeToString(answer.AdminMacaroon)
	}
	if err := c.untilActive(ctx, conn); err != nil {
		return fmt.Errorf("the password is changed, but %w", err)
	}
	return c.result(out, func(w io.Writer) {
		fmt.Fprintln(w, "the password is changed, the wallet is open")
		if text, ok := out["admin_macaroon"]; ok {
			fmt.Fprintf(w, "admin macaroon, shown this once: %s\n", text)
		}
	})
}
