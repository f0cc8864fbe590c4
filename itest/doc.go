// Package itest looks at the house from outside: house_test.go holds the arrows,
// the purity and the register of requirements, and the scenarios drive real
// fulgurd processes on a real btcd through gRPC, REST and the command line.
//
// It must never know how a node works inside: it speaks proto to it and nothing
// else.
package itest
