// Package clients has programs that others wrote for lnd drive our nodes: ln-service, the
// JavaScript library behind ThunderHub and many bots, from npm.
//
// TestLnService plays our own story with it (js/story.mjs), in every run. TestSuite, behind
// -clients.suite, runs the library's own integration tests, which npm delivers with it,
// on nodes of ours: js/daemons has the few functions by which they start and feed nodes,
// and asks the test for both. docs/clients.md has the results.
//
// It must never know how a node works inside.
package clients
