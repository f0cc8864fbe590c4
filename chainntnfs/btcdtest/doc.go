// Package btcdtest runs a private btcd for tests and for the demo: on regtest or
// simnet, with its own directory, credentials, certificate and free loopback
// ports, ended with the process that started it.
//
// It owns the child process, the few RPC calls that make a chain do things
// (mine, invalidate, reconsider), and a Miner: a key that the blocks pay to and
// that can pay any scripts. It must never know what the coins are for, nor be
// used by a daemon: a node speaks to its backend through chainntnfs.
//
// On regtest btcd deletes its chain at every start and segwit is active from the
// first block; on simnet the chain is kept, and segwit needs 300 blocks, which
// Miner.Mature sees to.
//
//	bin, err := btcdtest.Find(ctx, "")
//	n, err := btcdtest.Start(ctx, btcdtest.Config{Binary: bin, Dir: dir})
//	defer n.Stop(ctx)
//	err = n.Miner().Mature(ctx)
//	tx, err := n.Miner().Pay(ctx, wire.NewTxOut(1_000_000, script))
//	hashes, err := n.Generate(ctx, 6)
package btcdtest
