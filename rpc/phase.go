package rpc

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// Refusals of calls that come too early or too late. Clients compare the texts.
var (
	errWaitingToStart = errors.New("waiting to start, RPC services not available")
	errNoWallet       = errors.New("wallet not created, create one to enable full RPC access")
	errLocked         = errors.New("wallet locked, unlock it to enable full RPC access")
	errUnlocked       = errors.New("wallet already unlocked, WalletUnlocker service is no longer available")
	errStarting       = errors.New("the RPC server is in the process of starting up, but not yet ready to accept calls")
)

// phases orders the states of the start. A node goes forward only.
var phases = []lnrpc.WalletState{
	lnrpc.WalletState_WAITING_TO_START,
	lnrpc.WalletState_NON_EXISTING,
	lnrpc.WalletState_LOCKED,
	lnrpc.WalletState_UNLOCKED,
	lnrpc.WalletState_RPC_ACTIVE,
	lnrpc.WalletState_SERVER_ACTIVE,
}

// A phase is how far the start has come. All states that were passed are kept, so that a slow subscriber misses none.
type phase struct {
	mu      sync.Mutex
	history []lnrpc.WalletState
	changed chan struct{} // closed at the next change
}

func newPhase() *phase {
	return &phase{history: []lnrpc.WalletState{lnrpc.WalletState_WAITING_TO_START}, changed: make(chan struct{})}
}

// state returns the current state.
func (p *phase) state() lnrpc.WalletState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.history[len(p.history)-1]
}

// advance goes on to a state. To stay is no error, to go back is.
func (p *phase) advance(to lnrpc.WalletState) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.history[len(p.history)-1]
	if from == to {
		return nil
	}
	if slices.Index(phases, to) < slices.Index(phases, from) {
		return fmt.Errorf("set state: cannot go from %v to %v", from, to)
	}
	p.history = append(p.history, to)
	close(p.changed)
	p.changed = make(chan struct{})
	return nil
}

// since returns the states from the n-th on, and a channel that is closed when there are more. n < 0 means the current
// one. The first result is the number of the first state returned.
func (p *phase) since(n int) (int, []lnrpc.WalletState, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < 0 {
		n = len(p.history) - 1
	}
	return n, slices.Clone(p.history[n:]), p.changed
}

// refuse says why a method cannot be called in a state; nil if it can.
func refuse(state lnrpc.WalletState, service, method string) error {
	if service == lnrpc.State_ServiceDesc.ServiceName {
		return nil
	}
	unlocker := service == lnrpc.WalletUnlocker_ServiceDesc.ServiceName
	switch state {
	case lnrpc.WalletState_WAITING_TO_START:
		return errWaitingToStart
	case lnrpc.WalletState_NON_EXISTING:
		if !unlocker {
			return errNoWallet
		}
	case lnrpc.WalletState_LOCKED:
		if !unlocker {
			return errLocked
		}
	case lnrpc.WalletState_UNLOCKED:
		if unlocker {
			return errUnlocked
		}
		// The start may take long, for example behind the chain backend: it must be possible to give up.
		if method != lnrpc.Lightning_StopDaemon_FullMethodName {
			return errStarting
		}
	case lnrpc.WalletState_RPC_ACTIVE, lnrpc.WalletState_SERVER_ACTIVE:
		if unlocker {
			return errUnlocked
		}
	}
	return nil
}
