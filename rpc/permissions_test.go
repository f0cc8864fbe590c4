package rpc

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// methods lists the full names of all methods that need a macaroon, and of those that do not.
func methods() (guarded, free []string) {
	for _, svc := range services {
		var names []string
		for _, m := range svc.desc.Methods {
			names = append(names, "/"+svc.desc.ServiceName+"/"+m.MethodName)
		}
		for _, s := range svc.desc.Streams {
			names = append(names, "/"+svc.desc.ServiceName+"/"+s.StreamName)
		}
		if unguarded[svc.desc.ServiceName] {
			free = append(free, names...)
		} else {
			guarded = append(guarded, names...)
		}
	}
	return guarded, free
}

// TestEveryMethodHasItsRights compares the table with what is served, both ways.
func TestEveryMethodHasItsRights(t *testing.T) {
	guarded, free := methods()
	for _, method := range guarded {
		require.NotEmpty(t, permissions[method], "%s is not in the table", method)
	}
	require.Len(t, permissions, len(guarded), "the table lists methods that are not served")
	require.ElementsMatch(t, []string{
		"/lnrpc.State/GetState", "/lnrpc.State/SubscribeState",
		"/lnrpc.WalletUnlocker/GenSeed", "/lnrpc.WalletUnlocker/InitWallet", "/lnrpc.WalletUnlocker/UnlockWallet",
		"/lnrpc.WalletUnlocker/ChangePassword",
	}, free, "a method that needs no macaroon")
}

// TestRightsAreKnown checks that the admin macaroon is enough for everything, and the read-only one for nothing that
// changes anything.
func TestRightsAreKnown(t *testing.T) {
	for method, needs := range permissions {
		for _, need := range needs {
			if need == macaroons.Self {
				continue
			}
			require.Contains(t, macaroons.Admin, need, method)
			require.Equal(t, need.Action == "read", slices.Contains(macaroons.ReadOnly, need), method)
		}
	}
}

// TestNoClientStreamWithoutItsPath: a method to which the caller sends more than one message needs its REST path in the
// table of services, or WebSockets would send only the first.
func TestNoClientStreamWithoutItsPath(t *testing.T) {
	for _, svc := range services {
		n := 0
		for _, s := range svc.desc.Streams {
			if s.ClientStreams {
				n++
			}
		}
		require.Len(t, svc.clientStreams, n, svc.desc.ServiceName)
	}
}
