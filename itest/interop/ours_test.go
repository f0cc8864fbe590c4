package interop

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// ours starts a node of ours.
func ours(w *rig.World, name string, s Setup) Peer {
	options := []string{
		"--accept-keysend", "--bitcoin.defaultchanconfs=3", "--chan-enable-timeout=1s", "--chan-disable-timeout=2s",
		"--fee.min-update-timeout=1s", "--fee.max-update-timeout=2s",
	}
	if s.Delay > 0 {
		options = append(options, "--bitcoin.defaultremotedelay="+strconv.Itoa(s.Delay))
	}
	p := &spoken{n: w.Node(name, options...), usual: Anchors, lacks: map[Ability]bool{
		ZeroConf: true, Aliases: true, Blinded: true, OnionMail: true, Offers12: true, SimpleClose: true, Quiesces: true,
	}}
	p.version = "fulgur " + p.n.Info().Version
	return p
}

// until looks again and again until it is so. A node that is just starting or stopping
// is asked again.
func until(ctx context.Context, so func() (bool, error)) error {
	for {
		ok, err := so()
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w, and then: %v", ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
