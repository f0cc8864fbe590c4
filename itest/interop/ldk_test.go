package interop

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"
)

// TestLDK plays every scenario with LDK.
func TestLDK(t *testing.T) {
	t.Parallel()
	needLDK(t)
	play(t, Implementation{Name: "ldk", Types: []ChannelType{Anchors}, Start: startLDK, Parallel: true})
}

// ldkLacks: the bindings do not tell the names of failures; the amounts that a channel
// takes are fixed; a channel is announced as disabled after ten minutes only; one whose
// funding is unconfirmed again is closed by force on purpose; the rest this version does
// not have.
var ldkLacks = map[Ability]bool{Names: true, Limits: true, Disables: true, Patient: true, SimpleClose: true, Quiesces: true}

func (n *ldkNode) Name() string          { return n.name }
func (n *ldkNode) Version() string       { return "ldk " + n.version }
func (n *ldkNode) ID() string            { return n.id }
func (n *ldkNode) Addr() string          { return n.p2p }
func (n *ldkNode) Offers(a Ability) bool { return !ldkLacks[a] }

func (n *ldkNode) Connect(ctx context.Context, id, addr string) error {
	return n.ask(ctx, "connect", fields{"id": id, "address": addr}, nil)
}

func (n *ldkNode) Disconnect(ctx context.Context, id string) error {
	return n.ask(ctx, "disconnect", fields{"id": id}, nil)
}

func (n *ldkNode) Connected(ctx context.Context, id string) (bool, error) {
	var peers []struct{ ID string }
	err := n.ask(ctx, "peers", nil, &peers)
	for _, p := range peers {
		if p.ID == id {
			return true, nil
		}
	}
	return false, err
}

func (n *ldkNode) Height(ctx context.Context) (int32, error) {
	var info struct{ Height int32 }
	err := n.ask(ctx, "sync", nil, &info)
	return info.Height, err
}

func (n *ldkNode) Address(ctx context.Context) (string, error) {
	var a struct{ Address string }
	err := n.ask(ctx, "address", nil, &a)
	return a.Address, err
}

func (n *ldkNode) Wallet(ctx context.Context) (Wallet, error) {
	var w Wallet
	err := n.ask(ctx, "balance", nil, &w)
	return w, err
}

func (n *ldkNode) Open(ctx context.Context, to string, o Opening) (string, error) {
	var c struct{ Point string }
	err := n.ask(ctx, "open", fields{"to": to, "sat": o.Capacity, "push_msat": o.Push * 1000, "private": o.Private, "alias": o.Alias}, &c)
	return c.Point, err
}

type ldkChannel struct {
	Point      string
	SCID       uint64 `json:",string"`
	Peer       string
	Type       ChannelType
	Opener     bool
	Private    bool
	Active     bool
	Capacity   int64
	LocalMsat  int64 `json:"local_msat"`
	RemoteMsat int64 `json:"remote_msat"`
	HTLCs      int
}

func (n *ldkNode) Channels(ctx context.Context) ([]Channel, error) {
	var list []ldkChannel
	if err := n.ask(ctx, "channels", nil, &list); err != nil {
		return nil, err
	}
	var out []Channel
	for _, c := range list {
		out = append(out, Channel(c))
	}
	return out, nil
}

func (n *ldkNode) Owns(ctx context.Context) (msat int64, err error) {
	list, err := n.Channels(ctx)
	for _, c := range list {
		msat += c.LocalMsat
	}
	return msat, err
}

func (n *ldkNode) Close(ctx context.Context, point string, force bool) error {
	return n.ask(ctx, "close", fields{"point": point, "force": force}, nil)
}

func (n *ldkNode) Closing(ctx context.Context) (int, error) {
	var c struct{ Balances, Sweeps []any }
	err := n.ask(ctx, "closing", nil, &c)
	return len(c.Balances) + len(c.Sweeps), err
}

type ldkInvoice struct{ Bolt11, Hash string }

func (n *ldkNode) invoice(ctx context.Context, f fields) (Invoice, error) {
	var i ldkInvoice
	if err := n.ask(ctx, "invoice", f, &i); err != nil {
		return Invoice{}, err
	}
	hash, err := bytes32(i.Hash)
	return Invoice{Bolt11: i.Bolt11, Hash: hash}, err
}

func (n *ldkNode) Invoice(ctx context.Context, msat int64, memo string) (Invoice, error) {
	return n.invoice(ctx, fields{"msat": msat, "memo": memo})
}

func (n *ldkNode) Hold(ctx context.Context, msat int64, hash [32]byte) (Invoice, error) {
	// LDK gives an HTLC back 21 blocks before it expires; its own choice is 3 blocks more.
	return n.invoice(ctx, fields{"msat": msat, "hash": hex.EncodeToString(hash[:]), "final_delta": 80})
}

func (n *ldkNode) Settle(ctx context.Context, preimage [32]byte) error {
	return n.ask(ctx, "settle", fields{"preimage": hex.EncodeToString(preimage[:])}, nil)
}

func (n *ldkNode) Cancel(ctx context.Context, hash [32]byte) error {
	return n.ask(ctx, "cancel", fields{"hash": hex.EncodeToString(hash[:])}, nil)
}

func (n *ldkNode) Received(ctx context.Context, hash [32]byte) (Receipt, error) {
	var r Receipt
	err := n.ask(ctx, "received", fields{"hash": hex.EncodeToString(hash[:])}, &r)
	return r, err
}

type ldkPayment struct {
	State          State
	Hash, Preimage string
	Fee            int64
	Parts          int
	Reason         string
}

func (p ldkPayment) payment() (Payment, error) {
	out := Payment{State: p.State, FeeMsat: p.Fee, Parts: p.Parts, Reason: p.Reason}
	var err error
	if p.Hash != "" {
		out.Hash, err = bytes32(p.Hash)
	}
	if p.Preimage != "" && err == nil {
		out.Preimage, err = bytes32(p.Preimage)
	}
	return out, err
}

// send pays in one of the ways and waits for the end.
func (n *ldkNode) send(ctx context.Context, verb string, f fields) (Payment, error) {
	var p ldkPayment
	if err := n.ask(ctx, verb, f, &p); err != nil {
		return Payment{}, err
	}
	return p.payment()
}

func (n *ldkNode) Pay(ctx context.Context, bolt11 string, o Paying) (Payment, error) {
	f := fields{"bolt11": bolt11}
	if o.Parts > 0 {
		f["parts"] = o.Parts
	}
	if o.FeeMsat > 0 {
		f["fee_msat"] = o.FeeMsat
	}
	if o.PayMsat > 0 {
		f["msat"] = o.PayMsat
	}
	return n.send(ctx, "pay", f)
}

func (n *ldkNode) Keysend(ctx context.Context, to string, msat int64) (Payment, error) {
	return n.send(ctx, "keysend", fields{"to": to, "msat": msat})
}

func (n *ldkNode) Sent(ctx context.Context, hash [32]byte) (Payment, error) {
	p, err := n.send(ctx, "sent", fields{"id": hex.EncodeToString(hash[:])})
	p.Hash = hash
	return p, err
}

func (n *ldkNode) SetPolicy(ctx context.Context, point string, p Policy) error {
	if p.MinMsat != 0 || p.MaxMsat != 0 {
		return fmt.Errorf("LDK cannot change the limits of a channel's HTLCs")
	}
	return n.ask(ctx, "policy", fields{"point": point, "base_msat": p.BaseMsat, "ppm": p.PPM, "delta": p.Delta}, nil)
}

func (n *ldkNode) Edge(ctx context.Context, scid uint64) (*Edge, error) {
	var e *struct {
		Capacity int64
		Policies map[string]struct {
			BaseMsat int64 `json:"base_msat"`
			PPM      int64
			Delta    uint32
			MinMsat  int64 `json:"min_msat"`
			MaxMsat  int64 `json:"max_msat"`
			Disabled bool
			Time     int64
		}
	}
	if err := n.ask(ctx, "edge", fields{"scid": fmt.Sprint(scid)}, &e); err != nil || e == nil {
		return nil, err
	}
	out := &Edge{Capacity: e.Capacity, Policies: map[string]Policy{}}
	for id, p := range e.Policies {
		out.Policies[id] = Policy{BaseMsat: p.BaseMsat, PPM: p.PPM, Delta: p.Delta, MinMsat: p.MinMsat, MaxMsat: p.MaxMsat, Disabled: p.Disabled}
	}
	return out, nil
}

func (n *ldkNode) Alias(ctx context.Context, id string) (string, error) {
	var a struct{ Alias string }
	err := n.ask(ctx, "alias", fields{"id": id}, &a)
	return a.Alias, err
}

func bytes32(text string) (out [32]byte, err error) {
	raw, err := hex.DecodeString(text)
	if err == nil && len(raw) != 32 {
		err = fmt.Errorf("%q is not 32 bytes", text)
	}
	copy(out[:], raw)
	return out, err
}
