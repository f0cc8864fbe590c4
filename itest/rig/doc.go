// Package rig starts and drives what the scenarios of itest run on: a private chain,
// fulgurd processes on it, and the steps that they take, through gRPC, REST and the
// command line. It fails the test by itself, so that a scenario reads as a story.
//
// It must never know how a node works inside: it speaks proto to it and nothing
// else.
package rig
