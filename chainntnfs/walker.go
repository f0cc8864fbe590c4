package chainntnfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var (
	// ErrBehind says that the backend does not know our block and its chain is
	// shorter than ours: it is still catching up, or was set back. Waiting may
	// mend it.
	ErrBehind = errors.New("chain backend is behind our last block")
	// ErrNoForkPoint says that the backend has another chain than the one we
	// stood on, and knows no block of ours that both share.
	ErrNoForkPoint = errors.New("chain backend knows no block of ours")
)

// Step is one block that joins or leaves the chain.
type Step struct {
	Connect bool
	At      lnwire.BlockRef // the block that joins or leaves
	Block   *wire.MsgBlock  // nil: the backend has forgotten it and all others above Now
	Now     lnwire.BlockRef // where the walker stands afterwards
}

// Forgotten says that blocks left the chain of which nobody can tell any more
// what was in them, nor, where At is not the child of Now, which they were.
func (s Step) Forgotten() bool { return !s.Connect && s.Block == nil }

// Walker goes from a block to the backend's tip, one block at a time, back to
// the fork point first when the chain was reorganised. It is for one goroutine.
type Walker struct {
	src   Source
	known []lnwire.BlockRef // ascending, given by the caller
	past  []lnwire.BlockRef // ascending and without holes; the last is where we stand
}

// NewWalker starts at a block. known are blocks below it that the caller holds
// for true, in ascending order: the way back when the backend has forgotten the
// block itself. With the genesis block among them there is always a way back.
func NewWalker(src Source, at lnwire.BlockRef, known ...lnwire.BlockRef) *Walker {
	return &Walker{src: src, known: slices.Clone(known), past: []lnwire.BlockRef{at}}
}

// At is the block on which the walker stands.
func (w *Walker) At() lnwire.BlockRef { return w.past[len(w.past)-1] }

// recall says whether a block is one that the walker came over and did not step
// back from. It is not known of blocks lower than the walker remembers.
func (w *Walker) recall(ref lnwire.BlockRef) (on, known bool) {
	lowest := w.past[0].Height
	if ref.Height < lowest {
		return false, false
	}
	return ref.Height <= w.At().Height && w.past[ref.Height-lowest] == ref, true
}

// Locator lists blocks behind the walker, ascending, ever sparser with depth:
// what to store as known for a later walker.
func (w *Walker) Locator() []lnwire.BlockRef {
	const dense = 10
	var list []lnwire.BlockRef
	for back, stride := len(w.past)-1, 1; back >= 0; back -= stride {
		list = append(list, w.past[back])
		if len(list) > dense {
			stride *= 2
		}
	}
	if lowest := w.past[0]; list[len(list)-1] != lowest {
		list = append(list, lowest)
	}
	for i := len(w.known) - 1; i >= 0; i-- {
		if w.known[i].Height < list[len(list)-1].Height {
			list = append(list, w.known[i])
		}
	}
	slices.Reverse(list)
	return list
}

// maxRaces bounds how often a chain may change between two questions of one step.
const maxRaces = 16

// Next makes one step. It reports false at the tip. After an error the walker
// stands where it stood and may be asked again.
func (w *Walker) Next(ctx context.Context) (Step, bool, error) {
	at := w.At()
	for range maxRaces {
		tip, err := w.src.Tip(ctx)
		if err != nil {
			return Step{}, false, fmt.Errorf("walk from block %d: %w", at.Height, err)
		}
		if tip == at {
			return Step{}, false, nil
		}
		step, ok, err := w.forward(ctx, tip)
		if err != nil {
			return Step{}, false, fmt.Errorf("walk from block %d: %w", at.Height, err)
		}
		if ok {
			return step, true, nil
		}
		on, err := onMain(ctx, w.src, at)
		if err == nil && !on {
			step, err = w.back(ctx, tip)
		}
		if err != nil {
			return Step{}, false, fmt.Errorf("walk from block %d: %w", at.Height, err)
		}
		if !on {
			return step, true, nil
		}
	}
	return Step{}, false, fmt.Errorf("walk from block %d: the chain keeps changing", at.Height)
}

// forward steps to the child of our block, if the main chain has one.
func (w *Walker) forward(ctx context.Context, tip lnwire.BlockRef) (Step, bool, error) {
	at := w.At()
	if tip.Height <= at.Height {
		return Step{}, false, nil
	}
	hash, err := w.src.BlockHash(ctx, at.Height+1)
	if errors.Is(err, ErrNoBlock) {
		return Step{}, false, nil
	}
	if err != nil {
		return Step{}, false, err
	}
	block, err := w.src.Block(ctx, hash)
	if errors.Is(err, ErrNoBlock) {
		return Step{}, false, nil
	}
	if err != nil {
		return Step{}, false, err
	}
	if got := block.BlockHash(); got != hash {
		return Step{}, false, fmt.Errorf("asked for block %v, got %v", hash, got)
	}
	if block.Header.PrevBlock != at.Hash {
		return Step{}, false, nil
	}
	next := lnwire.BlockRef{Height: at.Height + 1, Hash: hash}
	if len(w.past) >= 2*remembered {
		w.past = append([]lnwire.BlockRef(nil), w.past[remembered:]...)
	}
	w.past = append(w.past, next)
	return Step{Connect: true, At: next, Block: block, Now: next}, true, nil
}

// back steps off our block, which is not on the main chain. When the backend has
// forgotten ours it does so only with a block of ours in sight that both share,
// and goes to it at once: a backend that is still catching up takes nothing back.
func (w *Walker) back(ctx context.Context, tip lnwire.BlockRef) (Step, error) {
	at := w.At()
	header, err := w.src.Header(ctx, at.Hash)
	if errors.Is(err, ErrNoBlock) || err == nil && at.Height == 0 {
		return w.jump(ctx, tip)
	}
	if err != nil {
		return Step{}, err
	}
	block, err := w.src.Block(ctx, at.Hash)
	if err != nil && !errors.Is(err, ErrNoBlock) {
		return Step{}, err
	}
	now := lnwire.BlockRef{Height: at.Height - 1, Hash: header.PrevBlock}
	w.stand(now)
	return Step{At: at, Block: block, Now: now}, nil
}

func (w *Walker) jump(ctx context.Context, tip lnwire.BlockRef) (Step, error) {
	at := w.At()
	fork, ok, err := w.shared(ctx)
	switch {
	case err != nil:
		return Step{}, err
	case !ok && tip.Height < at.Height:
		return Step{}, fmt.Errorf("%w: it is at %d, we at %d (%v)", ErrBehind, tip.Height, at.Height, at.Hash)
	case !ok:
		return Step{}, fmt.Errorf("%w: not %v at %d", ErrNoForkPoint, at.Hash, at.Height)
	}
	w.stand(fork)
	return Step{At: at, Now: fork}, nil
}

// stand goes down to a block below ours.
func (w *Walker) stand(now lnwire.BlockRef) {
	above := func(r lnwire.BlockRef) bool { return r.Height > now.Height }
	w.known = slices.DeleteFunc(w.known, above)
	w.past = slices.DeleteFunc(w.past, above)
	if len(w.past) == 0 || w.At() != now {
		w.past = []lnwire.BlockRef{now}
	}
}

// shared is the highest block below ours that is on the main chain. If one is,
// all below it are.
func (w *Walker) shared(ctx context.Context) (lnwire.BlockRef, bool, error) {
	ours := append(slices.Clip(w.known), w.past...)
	ours = slices.DeleteFunc(ours, func(r lnwire.BlockRef) bool { return r.Height >= w.At().Height })
	var failed error
	n := sort.Search(len(ours), func(i int) bool {
		on, err := onMain(ctx, w.src, ours[i])
		if err != nil {
			failed = err
		}
		return !on
	})
	if failed != nil || n == 0 {
		return lnwire.BlockRef{}, false, failed
	}
	return ours[n-1], true, nil
}

// onMain says whether a block is on the main chain.
func onMain(ctx context.Context, src Source, ref lnwire.BlockRef) (bool, error) {
	hash, err := src.BlockHash(ctx, ref.Height)
	if errors.Is(err, ErrNoBlock) {
		return false, nil
	}
	return hash == ref.Hash, err
}
