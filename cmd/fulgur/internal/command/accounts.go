package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

var (
	flagAddressType = flagText("address_type", "p2wkh, np2wkh (change too), np2wkh-p2wkh (native change) or p2tr")
	flagBirthday    = flagText("birthday", "search blocks from this `DAY` on, as 2024-05-31 (default: the wallet's own birthday)")
)

// accountCommands are what "wallet accounts" has.
var accountCommands = []spec{{
	name: "list", usage: "the wallet's accounts", example: "wallet accounts list --name=default", do: listAccounts,
	flags: []cli.Flag{flagText("name", "only these"), flagAddressType},
}, {
	name: "import", usage: "watch an account of another wallet", args: "XPUB NAME", max: 2,
	more: "Blocks are searched for its coins in the background. Nothing here can sign for it.",
	flags: []cli.Flag{
		flagText("extended_public_key", "the account's key"), flagText("name", "a name for it"), flagAddressType,
		flagText("master_key_fingerprint", "of the root that the key comes from, 8 hex digits"), flagBool("dry_run", "only show its first addresses"), flagBirthday,
	},
	example: "wallet accounts import --birthday=2024-05-31 zpub6r... cold", do: importAccount,
}, {
	name: "import-pubkey", usage: "watch the address of one public key", args: "KEY TYPE", max: 2,
	flags:   []cli.Flag{flagText("public_key", "hex"), flagAddressType, flagBirthday},
	example: "wallet accounts import-pubkey 02ab... p2wkh", do: importPublicKey,
}, {
	name: "create", usage: "another account of the wallet's own seed", args: "NAME", max: 1,
	more: "A restore from the seed alone does not find its coins: make it again, in the same order, with --birthday.",
	flags: []cli.Flag{
		flagText("name", "a name for it"), flagAddressType, flagBool("i_know_what_i_am_doing", "said to have understood the above"),
		flagText("birthday", "of one that is made again: search blocks from this `DAY` on"),
	},
	example: "wallet accounts create --i_know_what_i_am_doing shop", do: createAccount,
}}

// addressCommands are what "wallet addresses" has.
var addressCommands = []spec{{
	name: "list", usage: "the addresses that were given out, with what they hold", example: "wallet addresses list", do: listAddresses,
	flags: []cli.Flag{flagText("account_name", "only of these")},
}, {
	name: "signmessage", aliases: []string{"sign"}, usage: "sign a message with the key of an address", args: "ADDRESS MESSAGE", max: 2,
	flags:   []cli.Flag{flagText("address", "one of the wallet's"), flagText("msg", "the message")},
	example: "wallet addresses signmessage bcrt1q... hello", do: signWithAddress,
}, {
	name: "verifymessage", aliases: []string{"verify"}, usage: "whether an address signed a message", args: "ADDRESS SIGNATURE MESSAGE", max: 3,
	flags:   []cli.Flag{flagText("address", "the address"), flagText("sig", "base64"), flagText("msg", "the message")},
	example: "wallet addresses verifymessage bcrt1q... IMJUNV... hello", do: verifyWithAddress,
}}

// addressType reads the word for a kind of address; empty is UNKNOWN.
func addressType(text string) (walletrpc.AddressType, error) {
	switch text {
	case "":
		return walletrpc.AddressType_UNKNOWN, nil
	case "p2wkh":
		return walletrpc.AddressType_WITNESS_PUBKEY_HASH, nil
	case "np2wkh":
		return walletrpc.AddressType_NESTED_WITNESS_PUBKEY_HASH, nil
	case "np2wkh-p2wkh":
		return walletrpc.AddressType_HYBRID_NESTED_WITNESS_PUBKEY_HASH, nil
	case "p2tr":
		return walletrpc.AddressType_TAPROOT_PUBKEY, nil
	}
	return 0, Usage("address_type: %q, want p2wkh, np2wkh, np2wkh-p2wkh or p2tr", text)
}

// birthday reads a day.
func (c *call) birthday() (int64, error) {
	text := c.cmd.String("birthday")
	if text == "" {
		return 0, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, Usage("birthday: %q, want a day as 2024-05-31", text)
	}
	return max(day.Unix(), 1), nil
}

func accountTable(w io.Writer, list []*walletrpc.Account) {
	t := show.NewTable("name", "path", "kind", "addresses>", "change>", "signs", "key")
	for _, a := range list {
		signs := "yes"
		if a.WatchOnly {
			signs = "no"
		}
		t.Row(a.Name, a.DerivationPath, strings.ToLower(a.AddressType.String()), show.Number(a.ExternalKeyCount), show.Number(a.InternalKeyCount), signs, a.ExtendedPublicKey)
	}
	t.Print(w)
}

func listAccounts(ctx context.Context, c *call) error {
	kind, err := addressType(c.cmd.String("address_type"))
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ListAccounts(ctx, &walletrpc.ListAccountsRequest{Name: c.cmd.String("name"), AddressType: kind})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		var coins []*walletrpc.Account // people are not after the node's own keys
		for _, a := range answer.Accounts {
			if !strings.HasPrefix(a.DerivationPath, "m/1017'") {
				coins = append(coins, a)
			}
		}
		accountTable(w, coins)
	})
}

func importAccount(ctx context.Context, c *call) error {
	req := &walletrpc.ImportAccountRequest{DryRun: c.cmd.Bool("dry_run")}
	var err error
	if req.ExtendedPublicKey, err = c.need("extended_public_key"); err != nil {
		return err
	}
	if req.Name, err = c.need("name"); err != nil {
		return err
	}
	if req.AddressType, err = addressType(c.cmd.String("address_type")); err != nil {
		return err
	}
	if text := c.cmd.String("master_key_fingerprint"); text != "" {
		if req.MasterKeyFingerprint, err = parseHex("master_key_fingerprint", text, 4); err != nil {
			return err
		}
	}
	if req.Birthday, err = c.birthday(); err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ImportAccount(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		accountTable(w, []*walletrpc.Account{answer.Account})
		for _, a := range append(answer.DryRunExternalAddrs, answer.DryRunInternalAddrs...) {
			fmt.Fprintln(w, a)
		}
	})
}

func importPublicKey(ctx context.Context, c *call) error {
	raw, err := c.bytes("public_key", 0)
	if err != nil {
		return err
	}
	text, err := c.need("address_type")
	if err != nil {
		return err
	}
	req := &walletrpc.ImportPublicKeyRequest{PublicKey: raw}
	if req.AddressType, err = addressType(text); err != nil {
		return err
	}
	if req.Birthday, err = c.birthday(); err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ImportPublicKey(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

func createAccount(ctx context.Context, c *call) error {
	req := &walletrpc.XCreateAccountRequest{IKnowWhatIAmDoing: c.cmd.Bool("i_know_what_i_am_doing")}
	var err error
	if req.Name, err = c.need("name"); err != nil {
		return err
	}
	if req.AddressType, err = addressType(c.cmd.String("address_type")); err != nil {
		return err
	}
	if req.Birthday, err = c.birthday(); err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.XCreateAccount(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { accountTable(w, []*walletrpc.Account{answer.Account}) })
}

func listAddresses(ctx context.Context, c *call) error {
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ListAddresses(ctx, &walletrpc.ListAddressesRequest{AccountName: c.cmd.String("account_name")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		t := show.NewTable("account", "balance>", "path", "address")
		for _, a := range answer.AccountWithAddresses {
			for _, at := range a.Addresses {
				t.Row(a.Name, show.Sat(at.Balance), at.DerivationPath, at.Address)
			}
		}
		t.Print(w)
	})
}

func signWithAddress(ctx context.Context, c *call) error {
	addr, err := c.need("address")
	if err != nil {
		return err
	}
	msg, err := c.need("msg")
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.SignMessageWithAddr(ctx, &walletrpc.SignMessageWithAddrRequest{Msg: []byte(msg), Addr: addr})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Signature) })
}

func verifyWithAddress(ctx context.Context, c *call) error {
	req := &walletrpc.VerifyMessageWithAddrRequest{}
	var err error
	if req.Addr, err = c.need("address"); err != nil {
		return err
	}
	if req.Signature, err = c.need("sig"); err != nil {
		return err
	}
	msg, err := c.need("msg")
	if err != nil {
		return err
	}
	req.Msg = []byte(msg)
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.VerifyMessageWithAddr(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		verdict := "not signed by that address"
		if answer.Valid {
			verdict = "signed by that address"
		}
		fmt.Fprintf(w, "%s, key %s\n", verdict, hex.EncodeToString(answer.Pubkey))
	})
}
