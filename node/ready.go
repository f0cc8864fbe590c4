package node

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/mistake"
)

// tooFarToPay is how many blocks the node may be behind and still begin something of its
// own: what it then gets wrong is an expiry that the payee finds too soon. Several blocks
// found at once, as on a private chain, are taken in one after the other.
const tooFarToPay = 6

// inSight refuses what takes a new risk while the node cannot see the chain, and says
// why: it would not notice when what it promised or was promised has to be enforced
// there. A block or two on their way to the wallet are no hindrance.
func (n *Node) inSight() error {
	state, _ := n.backend.State()
	switch {
	case !state.Up:
		return fmt.Errorf("chain backend is away: %v", state.Why)
	case state.Stale != "":
		return fmt.Errorf("the chain looks stale: %s", state.Stale)
	case n.synced.Load() == nil || state.Tip.Height > n.height()+tooFarToPay:
		return mistake.State("the node is still catching up with the chain: it is at block %d of %d", n.height(), state.Tip.Height)
	case n.behind(tooFarToPay):
		return mistake.State("the chain backend is still catching up: it is at block %d, and was at %d; if it follows another chain now, start the node again",
			state.Tip.Height, n.top.Load())
	case n.lowDisk():
		return errLowDisk
	}
	return nil
}

// readyForMoney is inSight for new channels: those need coins, and the wallet knows its
// coins only when it has taken in the last block.
func (n *Node) readyForMoney() error {
	if err := n.inSight(); err != nil {
		return err
	}
	if !n.SyncedToChain() {
		return mistake.State("channels cannot be created before the wallet is fully synced")
	}
	return nil
}

// errLowDisk says that no new work is taken.
var errLowDisk = mistake.TooMuch("the disk is nearly full: free some room first")

// lowDisk measures again before it says no: without new work nothing may have been
// written since somebody made room.
func (n *Node) lowDisk() bool { return n.db.Low() && n.db.CheckDisk() }
