package peers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
)

type fake struct{ now gossip.OwnNode }

func (f *fake) UpdateAnnouncement(change func(gossip.OwnNode) (gossip.OwnNode, error)) error {
	next, err := change(f.now)
	if err == nil {
		f.now = next
	}
	return err
}

func TestUpdateNodeAnnouncement(t *testing.T) {
	home, err := lnwire.ParseAddress("203.0.113.7:9735", 9735)
	require.NoError(t, err)
	f := &fake{now: gossip.OwnNode{Addresses: []lnwire.Address{home}, Features: lnwire.NewFeatures(9, 15, 17)}}
	s := New(f)
	address := func(a peersrpc.UpdateAction, text string) *peersrpc.UpdateAddressAction {
		return &peersrpc.UpdateAddressAction{Action: a, Address: text}
	}
	feature := func(a peersrpc.UpdateAction, bit lnrpc.FeatureBit) *peersrpc.UpdateFeatureAction {
		return &peersrpc.UpdateFeatureAction{Action: a, FeatureBit: bit}
	}
	const add, remove = peersrpc.UpdateAction_ADD, peersrpc.UpdateAction_REMOVE
	got, err := s.UpdateNodeAnnouncement(t.Context(), &peersrpc.NodeAnnouncementUpdateRequest{
		Alias: "bob", Color: "#C42a81", FeatureUpdates: []*peersrpc.UpdateFeatureAction{feature(remove, 17)},
		AddressUpdates: []*peersrpc.UpdateAddressAction{address(add, "node.example.org"), address(remove, "203.0.113.7"), address(remove, "198.51.100.1")},
	})
	require.NoError(t, err)
	require.Len(t, got.Ops, 4)
	for i, want := range []*lnrpc.Op{
		{Entity: "features", Actions: []string{lnwire.Bit(17).Name() + " unset"}}, {Entity: "color", Actions: []string{"changed to #c42a81"}},
		{Entity: "alias", Actions: []string{"changed to bob"}},
		{Entity: "addresses", Actions: []string{"203.0.113.7:9735 removed", "node.example.org:9735 added"}},
	} {
		require.Equal(t, want.Entity, got.Ops[i].Entity)
		require.Equal(t, want.Actions, got.Ops[i].Actions)
	}
	require.Equal(t, "bob", f.now.Alias.String())
	require.Len(t, f.now.Addresses, 1)
	require.False(t, f.now.Features.Has(17))

	before := f.now
	for want, req := range map[string]*peersrpc.NodeAnnouncementUpdateRequest{
		"unable to detect any new values to update the node announcement": {Alias: "bob", Color: "#c42a81"},
		"unable to parse color":         {Color: "red"},
		"invalid alias value":           {Alias: "a name that is longer than thirty-two bytes"},
		"bit is already set":            {FeatureUpdates: []*peersrpc.UpdateFeatureAction{feature(add, 9)}},
		"bit is already unset":          {Alias: "carol", FeatureUpdates: []*peersrpc.UpdateFeatureAction{feature(remove, 17)}},
		"invalid feature set":           {FeatureUpdates: []*peersrpc.UpdateFeatureAction{feature(remove, 9)}},
		"out of range":                  {FeatureUpdates: []*peersrpc.UpdateFeatureAction{feature(add, 1<<16+9)}},
		"invalid update action":         {FeatureUpdates: []*peersrpc.UpdateFeatureAction{feature(7, 9)}},
		"removing AND adding":           {AddressUpdates: []*peersrpc.UpdateAddressAction{address(add, "192.0.2.1"), address(remove, "192.0.2.1:9735")}},
		"unable to resolve address":     {AddressUpdates: []*peersrpc.UpdateAddressAction{address(add, "192.0.2.1:x")}},
		"invalid address update action": {AddressUpdates: []*peersrpc.UpdateAddressAction{address(7, "192.0.2.1")}},
	} {
		_, err := s.UpdateNodeAnnouncement(t.Context(), req)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, f.now, want)
	}
}
