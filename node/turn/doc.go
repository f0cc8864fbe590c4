// Package turn runs machines: it gathers what arrives for one in an Inbox, steps
// the machine over all of it, queues one write, and lets go of what may leave only
// when that write is durable.
//
// It owns the order of those four things and nothing else. The live node and the
// simulator run the same turns; they differ in who calls them and when. It must
// never know what a message means, where the store is, or what time it is.
//
//	r := turn.NewRunner(num, machine, shell)
//	r.Inbox.Put(turn.Item{Event: channel.Received{Msg: m}, Conn: conn})
package turn
