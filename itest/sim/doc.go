// Package sim runs whole networks of nodes in one process, under one seed: the nodes'
// own code, from the inboxes to the files, while the order of all they do, the clock, the
// wire, the chain, the disk and every accident are the simulator's.
//
// It owns what surrounds a node: the scheduler, which lets one task go at a time; the
// wire, which carries encoded messages and is cut; the disk, which loses what was not yet
// written; the chain with its mempool and its reorganisations; the trade; and the oracles,
// which hold all books against each other. It must never know how a node does what it does.
//
// A schedule follows from its seed alone, so a seed that fails is a bug report:
//
//	go test ./itest/sim -run TestSeed -sim.seed 4711 -sim.verbose
package sim
