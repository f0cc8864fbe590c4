// Package seed finds nodes of the network by DNS, for a node that knows nobody yet
// (BOLT 10).
//
// It owns the question to a DNS seed and the reading of its answer, which is as
// hostile as anything that comes from the network (V-68): what is not understood
// in it is passed over.
//
// It must never know why nodes are looked for, nor dial them.
//
//	found, err := seed.Ask(ctx, net.DefaultResolver, "nodes.lightning.wiki")
package seed
