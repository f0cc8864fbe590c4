// Package scale runs the node at the size of the main network: a graph with invented
// keys and valid signatures whose channels are funded on a real chain, told to a real
// fulgurd over the wire by a speaker that has nothing but the graph.
//
//	go test ./itest/scale                              a few hundred channels
//	go test ./itest/scale -run Sync -scale -v          mainnet's, from ../shared/testdata
//	LND_BIN=lnd go test ./itest/scale -run Sync -scale -v -timeout 30m
//
// It is tests alone. The speaker is built from packages of the house; what it speaks to
// is asked through gRPC and the process table, as any operator would.
package scale
