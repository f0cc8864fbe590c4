package command

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/verrpc"
)

var nodeCommands = []spec{{
	name: "getinfo", group: groupStart, usage: "who the node is and how far it has come",
	example: "getinfo", do: getInfo,
}, {
	name: "stop", group: groupAdmin, usage: "stop the daemon in good order",
	example: "stop", do: stop,
}, {
	name: "state", group: groupStart, usage: "whether the wallet is there, open, and the daemon ready",
	example: "state", do: state, open: true,
}, {
	name: "version", group: groupStart, usage: "which daemon this is",
	example: "version", do: version,
}, {
	name: "getrecoveryinfo", group: groupAdmin, usage: "how far the search for a restored wallet's coins has come",
	example: "getrecoveryinfo", do: getRecoveryInfo,
}, {
	name: "signmessage", group: groupAdmin, usage: "sign a text with the node's key", args: "MESSAGE", max: 1,
	flags:   []cli.Flag{flagText("msg", "the text"), flagBool("single_hash", "hash once instead of twice")},
	example: `signmessage "this node is mine"`, do: signMessage,
}, {
	name: "verifymessage", group: groupAdmin, usage: "which node signed a text", args: "MESSAGE SIGNATURE", max: 2,
	flags:   []cli.Flag{flagText("msg", "the text"), flagText("sig", "the signature, as signmessage gives it")},
	example: `verifymessage "this node is mine" rb8mdx...`, do: verifyMessage,
}}

func getInfo(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	info, err := ln.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	if err != nil {
		return err
	}
	return c.print(info, func(w io.Writer) {
		var p show.Pairs
		p.Add("node", info.IdentityPubkey)
		p.Add("alias", info.Alias)
		p.Add("version", info.Version)
		for _, chain := range info.Chains {
			p.Add("network", chain.Network)
		}
		p.Add("block", fmt.Sprintf("%s (%s)", show.Number(info.BlockHeight), info.BlockHash))
		p.Add("chain", synced(info.SyncedToChain))
		p.Add("graph", synced(info.SyncedToGraph))
		p.Add("peers", show.Number(info.NumPeers))
		p.Add("channels", fmt.Sprintf("%d active, %d inactive, %d pending", info.NumActiveChannels, info.NumInactiveChannels, info.NumPendingChannels))
		for _, uri := range info.Uris {
			p.Add("reachable at", uri)
		}
		p.Print(w)
	})
}

func synced(yes bool) string {
	if yes {
		return "in sync"
	}
	return "catching up"
}

func stop(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.StopDaemon(ctx, &lnrpc.StopRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "the daemon is shutting down") })
}

func state(ctx context.Context, c *call) error {
	conn, err := c.dial(ctx, true)
	if err != nil {
		return err
	}
	answer, err := lnrpc.NewStateClient(conn).GetState(ctx, &lnrpc.GetStateRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, stateWords[answer.State]) })
}

var stateWords = map[lnrpc.WalletState]string{
	lnrpc.WalletState_WAITING_TO_START: "the daemon waits for its turn to start",
	lnrpc.WalletState_NON_EXISTING:     "there is no wallet yet (fulgur create)",
	lnrpc.WalletState_LOCKED:           "the wallet is locked (fulgur unlock)",
	lnrpc.WalletState_UNLOCKED:         "the wallet is open, the node is starting",
	lnrpc.WalletState_RPC_ACTIVE:       "the daemon answers, the node is starting",
	lnrpc.WalletState_SERVER_ACTIVE:    "ready",
}

func version(ctx context.Context, c *call) error {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return err
	}
	v, err := verrpc.NewVersionerClient(conn).GetVersion(ctx, &verrpc.VersionRequest{})
	if err != nil {
		return err
	}
	return c.print(v, func(w io.Writer) {
		var p show.Pairs
		p.Add("version", v.Version)
		p.Add("commit", v.CommitHash)
		p.Add("Go", v.GoVersion)
		p.Print(w)
	})
}

func signMessage(ctx context.Context, c *call) error {
	msg, err := c.need("msg")
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.SignMessage(ctx, &lnrpc.SignMessageRequest{Msg: []byte(msg), SingleHash: c.cmd.Bool("single_hash")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Signature) })
}

func verifyMessage(ctx context.Context, c *call) error {
	msg, err := c.need("msg")
	if err != nil {
		return err
	}
	sig, err := c.need("sig")
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.VerifyMessage(ctx, &lnrpc.VerifyMessageRequest{Msg: []byte(msg), Signature: sig})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		if answer.Valid {
			fmt.Fprintln(w, "signed by node "+answer.Pubkey)
			return
		}
		text := "not signed by a node of the graph"
		if answer.Pubkey != "" {
			text += "; the key would be " + answer.Pubkey
		}
		fmt.Fprintln(w, text)
	})
}

func getRecoveryInfo(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	info, err := ln.GetRecoveryInfo(ctx, &lnrpc.GetRecoveryInfoRequest{})
	if err != nil {
		return err
	}
	return c.print(info, func(w io.Writer) {
		switch {
		case !info.RecoveryMode:
			fmt.Fprintln(w, "no search was asked for: the wallet was opened without a recovery window")
		case info.RecoveryFinished:
			fmt.Fprintln(w, "the search is over")
		default:
			fmt.Fprintf(w, "%.1f %% of the blocks are searched\n", info.Progress*100)
		}
	})
}
