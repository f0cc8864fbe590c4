package node

// Recovery tells how far the search for a wallet's old coins has come.
type Recovery struct {
	Asked    bool // the wallet was opened with a recovery window
	Finished bool // nothing is left to search
	Progress float64
}

// Recovery is how the search stands.
func (n *Node) Recovery() Recovery {
	if n.cfg.Window == 0 {
		return Recovery{}
	}
	if n.widens.Load() {
		return Recovery{Asked: true}
	}
	if begin, next, last, due := n.Searching(); due {
		return Recovery{Asked: true, Progress: min(float64(next-begin)/float64(last+1-begin), 0.999)}
	}
	if n.synced.Load() != nil {
		return Recovery{Asked: true, Finished: true, Progress: 1}
	}
	from, at := n.searched.Load(), n.height()
	state, _ := n.backend.State()
	if from == nil || at <= *from || state.Tip.Height <= *from {
		return Recovery{Asked: true}
	}
	done := float64(at-*from) / float64(state.Tip.Height-*from)
	return Recovery{Asked: true, Progress: min(done, 0.999)}
}
