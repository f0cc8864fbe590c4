package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/atomicfile"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// restrictionFlags say what a macaroon is narrowed to.
var restrictionFlags = []cli.Flag{
	flagUint("timeout", "`SECONDS` for which it can be used"),
	flagText("ip_address", "the only `ADDRESS` from which it can be used"),
	flagText("ip_range", "the only `RANGE` of addresses from which it can be used, such as 10.0.0.0/8"),
	flagText("custom_caveat_name", "the middleware that has to agree to every call"),
	flagText("custom_caveat_condition", "what that middleware makes of it"),
	flagText("budget_total", "`SAT` that may ever be spent with it, fees included"),
	flagText("budget_day", "`SAT` that may be spent with it on a day, in UTC"),
	flagText("budget_name", "name of the budget, for people"),
}

var macaroonCommands = []spec{{
	name: "bakemacaroon", group: groupAdmin, usage: "make a macaroon that allows some things only", args: "PERMISSIONS...", max: 1000,
	more: "A permission is an entity and an action, such as invoices:write, or uri: and the full name of a single method, such as " +
		"uri:/lnrpc.Lightning/GetInfo; listpermissions shows which there are. Prints the macaroon as hex, or saves it.",
	example: "bakemacaroon --root_key_id=5 --save_to=shop.macaroon invoices:read invoices:write", do: bakeMacaroon,
	flags: append([]cli.Flag{
		flagText("save_to", "`FILE` for the macaroon, which then only its owner can read"),
		flagUint("root_key_id", "number of the root key that signs it; deletemacaroonid voids all that it signed"),
		flagBool("allow_external_permissions", "take permissions that the daemon does not know"),
		flagText("root_key", "the root key as hex, if it is known: no daemon is needed then"),
	}, restrictionFlags...),
}, {
	name: "constrainmacaroon", group: groupAdmin, usage: "make a narrower macaroon from one", args: "FILE NEWFILE", max: 2,
	more:    "Needs no daemon: anybody may narrow what they hold.",
	example: "constrainmacaroon --timeout=3600 admin.macaroon hour.macaroon", do: constrainMacaroon, flags: restrictionFlags,
}, {
	name: "printmacaroon", group: groupAdmin, usage: "what a macaroon says", args: "HEX", max: 1,
	more:    "Needs no daemon, and checks nothing.",
	example: "printmacaroon --macaroon_file=shop.macaroon", do: printMacaroon,
	flags: []cli.Flag{flagText("macaroon_file", "read it from this `FILE`")},
}, {
	name: "listmacaroonids", group: groupAdmin, usage: "the numbers of the root keys that sign macaroons",
	example: "listmacaroonids", do: listMacaroonIDs,
}, {
	name: "deletemacaroonid", group: groupAdmin, usage: "delete a root key: all macaroons that it signed are void", args: "ROOT_KEY_ID", max: 1,
	more:    "Key 0, which signs the macaroon files of the daemon, cannot be deleted; changepassword --new_mac_root_key replaces it.",
	example: "deletemacaroonid 5", do: deleteMacaroonID,
}, {
	name: "listpermissions", group: groupAdmin, usage: "which permissions each method needs",
	example: "listpermissions", do: listPermissions,
}, {
	name: "getbudget", group: groupAdmin, usage: "what may still be spent with the macaroon that is sent",
	example: "getbudget --macaroonpath=kiosk.macaroon", do: getBudget,
}, {
	name: "listbudgets", group: groupAdmin, usage: "what was spent of the budgets of all macaroons",
	example: "listbudgets", do: listBudgets,
}}

// bakeMacaroon prints bare hex in any case: it is for other programs.
func bakeMacaroon(ctx context.Context, c *call) error {
	var permissions []*lnrpc.MacaroonPermission
	for _, arg := range c.cmd.Args().Slice() {
		entity, action, ok := strings.Cut(arg, ":")
		if !ok || entity == "" || action == "" {
			return Usage("bakemacaroon: %q is not ENTITY:ACTION", arg)
		}
		permissions = append(permissions, &lnrpc.MacaroonPermission{Entity: entity, Action: action})
	}
	if len(permissions) == 0 {
		return Usage("bakemacaroon: what shall it allow?")
	}
	caveats, err := c.restrictions(time.Now())
	if err != nil {
		return err
	}
	raw, err := c.bake(ctx, permissions)
	if err != nil {
		return err
	}
	if raw, err = macaroons.Restrict(raw, caveats...); err != nil {
		return err
	}
	c.quiet()
	if file := c.cmd.String("save_to"); file != "" {
		return c.savedMacaroon(file, raw)
	}
	fmt.Fprintln(c.app.Out, hex.EncodeToString(raw))
	return nil
}

// bake asks the daemon, unless the root key is known.
func (c *call) bake(ctx context.Context, permissions []*lnrpc.MacaroonPermission) ([]byte, error) {
	if text := c.cmd.String("root_key"); text != "" {
		key, err := parseHex("root_key", text, 32)
		if err != nil {
			return nil, err
		}
		var ops []macaroons.Op
		for _, p := range permissions {
			ops = append(ops, macaroons.Op{Entity: p.Entity, Action: p.Action})
		}
		return macaroons.BakeFrom(key, c.cmd.Uint64("root_key_id"), ops)
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := ln.BakeMacaroon(ctx, &lnrpc.BakeMacaroonRequest{
		Permissions: permissions, RootKeyId: c.cmd.Uint64("root_key_id"), AllowExternalPermissions: c.cmd.Bool("allow_external_permissions"),
	})
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(answer.Macaroon)
}

// restrictions are the caveats that the flags ask for.
func (c *call) restrictions(now time.Time) (caveats []macaroons.Caveat, err error) {
	if c.cmd.IsSet("timeout") {
		seconds := c.cmd.Uint64("timeout")
		if seconds == 0 || seconds > 1<<32 {
			return nil, Usage("--timeout: want 1 to %d seconds", uint64(1<<32))
		}
		caveats = append(caveats, macaroons.ExpiresAt(now.Add(time.Duration(seconds)*time.Second)))
	}
	if text := c.cmd.String("ip_address"); text != "" {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, Usage("--ip_address: %v", err)
		}
		caveats = append(caveats, macaroons.OnlyFrom(addr))
	}
	if text := c.cmd.String("ip_range"); text != "" {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, Usage("--ip_range: %v", err)
		}
		caveats = append(caveats, macaroons.OnlyFromRange(prefix))
	}
	name, condition := c.cmd.String("custom_caveat_name"), c.cmd.String("custom_caveat_condition")
	switch {
	case name == "" && condition != "":
		return nil, Usage("--custom_caveat_condition: --custom_caveat_name is missing")
	case strings.ContainsFunc(name+condition, unicode.IsSpace):
		return nil, Usage("--custom_caveat_name, --custom_caveat_condition: without white space")
	case name != "":
		caveats = append(caveats, macaroons.Custom(name, condition))
	}
	return c.budget(caveats)
}

// budget adds the caveat of a spending budget, if the flags ask for one.
func (c *call) budget(caveats []macaroons.Caveat) ([]macaroons.Caveat, error) {
	total, day := int64(-1), int64(-1)
	for flag, to := range map[string]*int64{"budget_total": &total, "budget_day": &day} {
		if !c.cmd.IsSet(flag) {
			continue
		}
		sat, err := amount(flag, c.cmd.String(flag))
		if err != nil {
			return nil, err
		}
		*to = sat
	}
	name := c.cmd.String("budget_name")
	if total < 0 && day < 0 && name == "" {
		return caveats, nil
	}
	caveat, err := macaroons.SpendAtMost(total, day, name)
	if err != nil {
		return nil, Usage("--budget_...: %v", err)
	}
	return append(caveats, caveat), nil
}

// saveMacaroon writes a macaroon where only its owner can read it.
func saveMacaroon(file string, raw []byte) error { return atomicfile.Write(file, raw, 0o600) }

func (c *call) savedMacaroon(file string, raw []byte) error {
	if err := saveMacaroon(file, raw); err != nil {
		return err
	}
	return c.result(map[string]any{"saved_to": file}, func(w io.Writer) { fmt.Fprintln(w, "macaroon saved to "+file) })
}

func constrainMacaroon(_ context.Context, c *call) error {
	if c.cmd.NArg() != 2 {
		return Usage("constrainmacaroon: the file that holds the macaroon, and one for the new macaroon, are needed")
	}
	caveats, err := c.restrictions(time.Now())
	if err != nil {
		return err
	}
	if len(caveats) == 0 {
		return Usage("constrainmacaroon: what shall it be narrowed to?")
	}
	raw, err := os.ReadFile(c.cmd.Args().Get(0))
	if err != nil {
		return err
	}
	if raw, err = macaroons.Restrict(raw, caveats...); err != nil {
		return err
	}
	return c.savedMacaroon(c.cmd.Args().Get(1), raw)
}

func printMacaroon(_ context.Context, c *call) error {
	var raw []byte
	var err error
	if file := c.cmd.String("macaroon_file"); file != "" {
		raw, err = os.ReadFile(file)
	} else {
		raw, err = c.bytes("macaroon", 0)
	}
	if err != nil {
		return err
	}
	m, err := macaroons.Describe(raw)
	if err != nil {
		return err
	}
	permissions := []string{}
	for _, op := range m.Ops {
		permissions = append(permissions, op.Entity+":"+op.Action)
	}
	out := map[string]any{
		"version": m.Version, "location": m.Location, "root_key_id": m.Key, "permissions": permissions, "caveats": m.Caveats,
	}
	return c.result(out, func(w io.Writer) {
		var p show.Pairs
		p.Add("root key", m.Key)
		for _, text := range permissions {
			p.Add("allows", text)
		}
		for _, text := range m.Caveats {
			p.Add("only if", text)
		}
		p.Print(w)
	})
}

func listMacaroonIDs(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.ListMacaroonIDs(ctx, &lnrpc.ListMacaroonIDsRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		for _, id := range answer.RootKeyIds {
			fmt.Fprintln(w, id)
		}
	})
}

func deleteMacaroonID(ctx context.Context, c *call) error {
	text, err := c.need("root_key_id")
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return Usage("deletemacaroonid: %q is no number of a root key", text)
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.DeleteMacaroonID(ctx, &lnrpc.DeleteMacaroonIDRequest{RootKeyId: id})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		if answer.Deleted {
			fmt.Fprintln(w, "deleted: the macaroons of this root key are void")
		} else {
			fmt.Fprintln(w, "there is no root key of that number")
		}
	})
}

func listPermissions(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.ListPermissions(ctx, &lnrpc.ListPermissionsRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		for _, method := range slices.Sorted(maps.Keys(answer.MethodPermissions)) {
			var needs []string
			for _, p := range answer.MethodPermissions[method].Permissions {
				needs = append(needs, p.Entity+":"+p.Action)
			}
			fmt.Fprintf(w, "%-55s %s\n", method, strings.Join(needs, " "))
		}
	})
}

func getBudget(ctx context.Context, c *call) error {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return err
	}
	answer, err := fulgurrpc.NewBudgetsClient(conn).GetBudget(ctx, &fulgurrpc.GetBudgetRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		if answer.LeftMsat == nil {
			fmt.Fprintln(w, "the macaroon has no spending budget: it may spend all that its permissions allow")
			return
		}
		budgetTable(answer.Budgets).Print(w)
		fmt.Fprintf(w, "%s may still be spent today\n", show.Msat(int64(*answer.LeftMsat)))
	})
}

func listBudgets(ctx context.Context, c *call) error {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return err
	}
	client, all := fulgurrpc.NewBudgetsClient(conn), &fulgurrpc.ListBudgetsResponse{}
	for req := (&fulgurrpc.ListBudgetsRequest{MaxBudgets: 1000}); ; {
		page, err := client.ListBudgets(ctx, req)
		if err != nil {
			return err
		}
		all.Budgets = append(all.Budgets, page.Budgets...)
		if len(page.Budgets) < int(req.MaxBudgets) {
			break
		}
		req.AfterId = page.Budgets[len(page.Budgets)-1].Id
	}
	return c.print(all, func(w io.Writer) { budgetTable(all.Budgets).Print(w) })
}

func budgetTable(budgets []*fulgurrpc.Budget) *show.Table {
	table := show.NewTable("budget", "name", "in total", "a day", "spent", "left today")
	limit := func(sat *uint64) string {
		if sat == nil {
			return "-"
		}
		return show.Sat(int64(*sat))
	}
	for _, b := range budgets {
		table.Row(hex.EncodeToString(b.Id)[:8], b.Name, limit(b.TotalSat), limit(b.DaySat), show.Msat(int64(b.SpentMsat)), show.Msat(int64(b.LeftMsat)))
	}
	return table
}
