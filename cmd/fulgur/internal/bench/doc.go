// Package bench measures payments over a line of local nodes: how many per second,
// how long each takes, and what it costs in processor time and disk writes.
//
// It owns the load and the figures. It must never know how the nodes work: it pays
// invoices as any client would.
//
//	cmd := bench.Command(os.Stdout, true)
//	err := cmd.Run(ctx, []string{"bench", "--hops=2", "--concurrency=1,10,50"})
package bench
