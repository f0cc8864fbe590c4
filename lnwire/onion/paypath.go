package onion

import (
	"errors"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// PathHop is a node that will carry payments along a blinded path of ours, and what it
// asks for that by its channel_update.
type PathHop struct {
	Node        lnwire.PubKey
	SCID        lnwire.ShortChannelID // its channel to the next node
	Relay       PaymentRelay
	HTLCMinimum lnwire.MilliSat
	HTLCMaximum lnwire.MilliSat // 0: not said
}

// PathTerms are what a blinded path for payments to us is made of.
type PathTerms struct {
	Hops    []PathHop // from the introduction node to the one before us; none: we are it
	Us      lnwire.PubKey
	Dummies int    // hops behind us that are none, so that the length tells nothing
	PathID  []byte // by which we know the path again
	// FinalDelta is min_final_cltv_expiry_delta.
	FinalDelta uint16
	// LastHeight is the last block in which the path can be used.
	LastHeight lnwire.Height
	// HTLCMinimum is the least that we accept in one HTLC, HTLCMaximum the most that
	// the path is to be used for; 0: no bound of ours.
	HTLCMinimum lnwire.MilliSat
	HTLCMaximum lnwire.MilliSat
}

// PaymentPath is a blinded path with its sums: what an invoice carries.
type PaymentPath struct {
	BlindedPath
	PayInfo
}

// BlindPayment makes a blinded path for payments. The session key must be fresh. It
// fails when the hops ask for more than the path's fields hold, or as Blind does.
//
// B4.path.7: each node but the last is told the channel to take, its relay parameters
// and the constraints; max_cltv_expiry grows by the deltas from the end on, and the
// minimum is the largest of all.
func BlindPayment(sessionKey *btcec.PrivateKey, t PathTerms) (PaymentPath, error) {
	info := PayInfo{CLTVDelta: t.FinalDelta, HTLCMinimum: t.HTLCMinimum, HTLCMaximum: t.HTLCMaximum}
	for _, h := range t.Hops {
		info.HTLCMinimum = max(info.HTLCMinimum, h.HTLCMinimum)
		if h.HTLCMaximum != 0 && (info.HTLCMaximum == 0 || h.HTLCMaximum < info.HTLCMaximum) {
			info.HTLCMaximum = h.HTLCMaximum
		}
	}
	expiry := t.LastHeight + lnwire.Height(t.FinalDelta)
	bounds := func() *PaymentConstraints {
		return &PaymentConstraints{MaxExpiry: expiry, HTLCMinimum: info.HTLCMinimum}
	}
	nodes := make([]PathNode, len(t.Hops)+t.Dummies+1)
	data := make([]RecipientData, len(nodes))
	end := len(nodes) - 1
	nodes[end].Node, data[end] = t.Us, RecipientData{PathID: t.PathID, Constraints: bounds()}
	for i := end - 1; i >= len(t.Hops); i-- {
		// A dummy keeps nothing: it is in the number of hops only.
		nodes[i].Node = t.Us
		data[i] = RecipientData{NextNode: &t.Us, Relay: &PaymentRelay{}, Constraints: bounds()}
	}
	for i := len(t.Hops) - 1; i >= 0; i-- {
		h := t.Hops[i]
		if !info.ahead(h.Relay) {
			return PaymentPath{}, errors.New("blinded path: the fees or deltas of its nodes are too large")
		}
		expiry += lnwire.Height(h.Relay.CLTVDelta)
		nodes[i].Node = h.Node
		data[i] = RecipientData{ShortChannelID: &h.SCID, Relay: &h.Relay, Constraints: bounds()}
	}
	streams, err := pad(data)
	if err != nil {
		return PaymentPath{}, err
	}
	for i := range nodes {
		nodes[i].Data = streams[i]
	}
	path, err := Blind(sessionKey, nodes)
	return PaymentPath{path, info}, err
}
