package client

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Problem is an error with the way out of it.
type Problem struct {
	Text, Hint string
	Cause      error
}

// Error is what went wrong.
func (p *Problem) Error() string { return p.Text }

// Unwrap is what the problem was found from.
func (p *Problem) Unwrap() error { return p.Cause }

// remedies are what helps against errors that daemons give, by a part of their
// text. The texts are part of the interface.
var remedies = []struct{ part, hint string }{
	{"wallet locked", "open it: fulgur unlock"},
	{"wallet not created", "make one: fulgur create"},
	{"wallet already unlocked", "nothing to do: fulgur getinfo"},
	{"invalid passphrase for master public key", "this is not the password of this wallet; nothing is lost, try again: fulgur unlock"},
	{"in the process of starting up", "wait for it: fulgur state"},
	{"waiting to start", "wait for it: fulgur state"},
	{"permission denied", "this macaroon does not allow it: use admin.macaroon, or another one with --macaroonpath"},
	{"macaroon has expired", "are the clocks of both machines right? more time: --macaroontimeout=600"},
	{"cannot get macaroon", "the macaroon belongs to another daemon: choose the file with --macaroonpath, or the directory with --fulgurdir"},
	{"verification failed", "the macaroon belongs to another daemon: choose the file with --macaroonpath, or the directory with --fulgurdir"},
	{"expected 1 macaroon", "leave --no-macaroons away"},
	{"locked to different IP", "--macaroonip has to be the address that the daemon sees us come from"},
	{"unable to find a path to destination", "is there a channel with enough on our side? fulgur listchannels; does the graph reach the payee? fulgur getnodeinfo"},
	{"insufficient funds available", "see what there is: fulgur walletbalance"},
	{"reserved wallet balance invalidated", "a little must stay in the wallet to bump commitments of open channels: fulgur walletbalance shows how much"},
	{"is not online", "connect first: fulgur connect PUBKEY@HOST"},
	{"not connected", "connect first: fulgur connect PUBKEY@HOST"},
}

// Explain turns what a call returned into what to tell a person. It keeps nil.
func Explain(err error, t Target) error {
	s, ok := status.FromError(err)
	var p *Problem
	if err == nil || !ok || errors.As(err, &p) {
		return err
	}
	switch s.Code() {
	case codes.Unavailable:
		return unreachable(s.Message(), t, err)
	case codes.Canceled:
		return &Problem{"interrupted", "", err}
	case codes.Unimplemented:
		return &Problem{s.Message(), "this daemon does not have it; fulgur version tells what it is", err}
	default:
	}
	text := s.Message() + why(s)
	for _, r := range remedies {
		if strings.Contains(s.Message(), r.part) {
			return &Problem{text, r.hint, err}
		}
	}
	return &Problem{text, "", err}
}

// why is the reason behind a text that other clients compare as a whole, for which the
// daemon puts it among the details.
func why(s *status.Status) string {
	for _, d := range s.Details() {
		if v, ok := d.(*wrapperspb.StringValue); ok {
			return ": " + v.GetValue()
		}
	}
	return ""
}

// unreachable tells a daemon that is not there from one that is not the right one.
func unreachable(text string, t Target, cause error) error {
	switch {
	case strings.Contains(text, "x509") || strings.Contains(text, "certificate"):
		return &Problem{
			"the daemon at " + t.Server + " shows another certificate than " + t.TLSCert,
			"is it another daemon's? --rpcserver, --fulgurdir and --tlscertpath have to belong together (" + tail(text) + ")", cause,
		}
	case strings.Contains(text, "connection refused"), strings.Contains(text, "i/o timeout"), strings.Contains(text, "no such host"):
		return &Problem{
			"no daemon answers at " + t.Server,
			"start it: fulgurd --bitcoin." + t.Network + "; or say where it listens with --rpcserver (" + tail(text) + ")", cause,
		}
	}
	return &Problem{"lost the daemon at " + t.Server + ": " + tail(text), "is it still running? fulgur state", cause}
}

// tail is the last part of a chain of errors, where the reason stands.
func tail(text string) string {
	text, _, _ = strings.Cut(text, " (possibly because") // x509 guesses, with colons of its own
	text = strings.Trim(strings.TrimSpace(text), `"`)
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return strings.Trim(text, `"`)
}
