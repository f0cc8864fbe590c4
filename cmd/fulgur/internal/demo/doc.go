// Package demo plays the main job of a Lightning node on a private chain: alice, bob
// and carol open channels, pay through bob, who earns a fee, and close one channel.
//
// It owns the story and the books: what every balance must be follows from the
// amounts, the policies and the transactions on the chain, by arithmetic that is
// written here anew, and is compared with what the nodes say, to the millisatoshi.
// It must never take a figure from a node that it could know by itself.
//
//	cmd := demo.Command(os.Stdout, true)
//	err := cmd.Run(ctx, []string{"demo"}) // nil only if every figure was right
package demo
