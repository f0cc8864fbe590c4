// Package floods measures what a node's payments cost while strangers pour out at it
// whatever the protocol lets them say: alice pays carol over bob at a steady pace, first
// in peace and then during each flood against bob, and the resident memory of bob and
// the time that the payments take are set beside those in peace.
//
//	go test ./itest/floods                                   a moment of each flood
//	go test ./itest/floods -run Floods -floods -v            the figures
//	LND_BIN=lnd go test ./itest/floods -run Floods -floods -v -timeout 30m
//
// It is tests alone, and a black box: bob is a process, fulgurd or lnd, and those who
// flood it speak BOLT 8 over TCP, with the codecs of the house. They share the machine
// with bob, so they keep to a part of one processor (-floods.share); what they could
// offer with it stands beside the figures.
package floods
