package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// backupFlags say where a backup is.
var backupFlags = []cli.Flag{
	flagText("single_backup", "backup of one channel, in hex"),
	flagText("multi_backup", "backup of several channels, in hex"),
	flagText("single_file", "a file with the backup of one channel"),
	flagText("multi_file", "a file with the backup of several channels, such as channel.backup"),
}

var backupCommands = []spec{{
	name: "exportchanbackup", group: groupBackups, usage: "the static backup of a channel, or of all",
	args: "[CHANNEL]", max: 2, do: exportBackup, example: "exportchanbackup --all --output_file=channels.backup",
	more: "With the seed it gets our balance back from a channel of which nothing else is left: the peer is asked to close it. " +
		"The daemon keeps such a backup of all channels in the file channel.backup by itself.",
	flags: []cli.Flag{
		flagText("chan_point", "the channel, as TXID:INDEX"), flagBool("all", "all channels in one piece"),
		flagText("output_file", "write the backup to a file instead of printing it"),
	},
}, {
	name: "verifychanbackup", group: groupBackups, usage: "which channels are in a backup, and whether it is of this node's seed",
	do: verifyBackup, flags: backupFlags, example: "verifychanbackup --multi_file=channels.backup",
}, {
	name: "restorechanbackup", group: groupBackups, usage: "ask channels back of which only a backup is left",
	do: restoreBackup, flags: backupFlags, example: "restorechanbackup --multi_file=channels.backup",
	more: "The peers of these channels close them, and our balance comes into the wallet (fulgur pendingchannels). Channels that the " +
		"node knows are passed over. Never restore channels that another node with the same seed still runs.",
}}

// snapshot is the backup that the flags name; nil for none.
func (c *call) snapshot() (*lnrpc.ChanBackupSnapshot, error) {
	out, count := &lnrpc.ChanBackupSnapshot{}, 0
	for _, f := range []struct {
		flag        string
		file, multi bool
	}{{"single_backup", false, false}, {"multi_backup", false, true}, {"single_file", true, false}, {"multi_file", true, true}} {
		text := c.cmd.String(f.flag)
		if text == "" {
			continue
		}
		count++
		b, err := hex.DecodeString(text)
		if f.file {
			b, err = c.app.readFile(text)
		}
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", f.flag, err)
		}
		if f.multi {
			out.MultiChanBackup = &lnrpc.MultiChanBackup{MultiChanBackup: b}
		} else {
			out.SingleChanBackups = &lnrpc.ChannelBackups{ChanBackups: []*lnrpc.ChannelBackup{{ChanBackup: b}}}
		}
	}
	switch count {
	case 0:
		return nil, nil
	case 1:
		return out, nil
	}
	return nil, Usage("%s: one backup at a time", c.cmd.Name)
}

// needSnapshot is snapshot where there must be one.
func (c *call) needSnapshot() (*lnrpc.ChanBackupSnapshot, error) {
	s, err := c.snapshot()
	if err == nil && s == nil {
		err = Usage("%s: which backup? give --multi_file, --single_file, --multi_backup or --single_backup", c.cmd.Name)
	}
	return s, err
}

func exportBackup(ctx context.Context, c *call) error {
	if c.cmd.Bool("all") {
		ln, err := c.lightning(ctx)
		if err != nil {
			return err
		}
		all, err := ln.ExportAllChannelBackups(ctx, &lnrpc.ChanBackupExportRequest{})
		if err != nil {
			return err
		}
		var points []string
		for _, p := range all.MultiChanBackup.GetChanPoints() {
			points = append(points, pointText(p))
		}
		blob := all.MultiChanBackup.GetMultiChanBackup()
		if path := c.cmd.String("output_file"); path != "" {
			return c.keepBackup(path, points, blob)
		}
		return c.print(all, func(w io.Writer) { fmt.Fprintf(w, "%s\n%x\n", strings.Join(points, "\n"), blob) })
	}
	if c.cmd.NArg() == 0 && c.cmd.String("chan_point") == "" {
		return Usage("%s: which channel? give its TXID:INDEX, or --all", c.cmd.Name)
	}
	point, err := c.findPoint(ctx)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	one, err := ln.ExportChannelBackup(ctx, &lnrpc.ExportChannelBackupRequest{ChanPoint: point})
	if err != nil {
		return err
	}
	if path := c.cmd.String("output_file"); path != "" {
		return c.keepBackup(path, []string{pointText(point)}, one.ChanBackup)
	}
	out := map[string]any{"chan_point": pointText(point), "chan_backup": hex.EncodeToString(one.ChanBackup)}
	return c.result(out, func(w io.Writer) { fmt.Fprintf(w, "%s\n%x\n", pointText(point), one.ChanBackup) })
}

// keepBackup writes a backup to a file.
func (c *call) keepBackup(path string, points []string, blob []byte) error {
	if err := os.WriteFile(path, blob, 0o600); err != nil {
		return fmt.Errorf("--output_file: %w", err)
	}
	return c.result(map[string]any{"chan_points": points, "output_file": path}, func(w io.Writer) {
		fmt.Fprintf(w, "%s is written: %s\n", path, channelCount(len(points)))
	})
}

func verifyBackup(ctx context.Context, c *call) error {
	s, err := c.needSnapshot()
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.VerifyChanBackup(ctx, s)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		fmt.Fprintf(w, "the backup is good: %s\n", channelCount(len(answer.ChanPoints)))
		for _, p := range answer.ChanPoints {
			fmt.Fprintln(w, p)
		}
	})
}

func restoreBackup(ctx context.Context, c *call) error {
	s, err := c.needSnapshot()
	if err != nil {
		return err
	}
	req := &lnrpc.RestoreChanBackupRequest{}
	if s.MultiChanBackup != nil {
		req.Backup = &lnrpc.RestoreChanBackupRequest_MultiChanBackup{MultiChanBackup: s.MultiChanBackup.MultiChanBackup}
	} else {
		req.Backup = &lnrpc.RestoreChanBackupRequest_ChanBackups{ChanBackups: s.SingleChanBackups}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.RestoreChannelBackups(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		if answer.NumRestored == 0 {
			fmt.Fprintln(w, "nothing is restored: the node knows every channel of the backup")
			return
		}
		fmt.Fprintf(w, "%s restored; their peers are asked to close them (fulgur pendingchannels)\n",
			channelCount(int(answer.NumRestored)))
	})
}

func channelCount(n int) string {
	if n == 1 {
		return "1 channel"
	}
	return fmt.Sprintf("%d channels", n)
}
