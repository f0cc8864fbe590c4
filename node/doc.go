// Package node is the imperative shell: it gives every machine an inbox and its
// turns, queues what they write, lets go of what may leave once it is durable, and
// carries events between them, the peers, the chain and the callers of the API.
//
// It owns goroutines, clocks, randomness and the order of start and stop. It must
// never know the rules of the protocol: no branch here depends on a field of a
// message, except to find the machine that the message is for.
//
//	n, err := node.New(config)
//	err = n.Start(ctx) // loads every machine, resumes it, opens the doors
//	n.Stop()           // closes them; what was promised is durable
package node
