package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var debugCommands = []spec{{
	name: "debuglevel", group: groupAdmin, usage: "change what the daemon logs, until it ends", args: "LEVEL", max: 1,
	more: "LEVEL is trace, debug, info, warn, error, critical or off, for everything, or SUBSYSTEM=LEVEL,... for some.\n" +
		"Without it the subsystems are named.",
	flags:   []cli.Flag{flagBool("show", "only name the subsystems"), flagText("level", "the level, or levels by subsystem")},
	example: "debuglevel info,PEER=debug", do: debugLevel,
}, {
	name: "getdebuginfo", group: groupAdmin, usage: "the daemon's options as they are in force, and its log",
	more:    "Passwords are left out. The log names peers, channels and payments: look before you pass it on.",
	flags:   []cli.Flag{flagBool("include_log", "also the last lines of the log, up to 4 MiB")},
	example: "getdebuginfo --include_log", do: getDebugInfo,
}}

func debugLevel(ctx context.Context, c *call) error {
	level := c.take("level")
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.DebugLevel(ctx, &lnrpc.DebugLevelRequest{Show: level == "" || c.cmd.Bool("show"), LevelSpec: level})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, strings.ReplaceAll(answer.SubSystems, ", ", "\n")) })
}

func getDebugInfo(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.GetDebugInfo(ctx, &lnrpc.GetDebugInfoRequest{IncludeLog: c.cmd.Bool("include_log")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		var p show.Pairs
		for _, name := range slices.Sorted(maps.Keys(answer.Config)) {
			p.Add(name, answer.Config[name])
		}
		p.Print(w)
		for _, line := range answer.Log {
			fmt.Fprintln(w, show.Clean(line))
		}
	})
}
