// Package peersrpc is generated from the service Peers: what the node tells others of itself. It must never know how
// that is announced.
//
//	changed, err := peersrpc.NewPeersClient(conn).UpdateNodeAnnouncement(ctx, &peersrpc.NodeAnnouncementUpdateRequest{Alias: "bob"})
package peersrpc
