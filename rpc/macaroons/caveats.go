package macaroons

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gopkg.in/macaroon.v2"
)

// Names of the caveats that are understood. Any other makes a macaroon useless: a restriction that is not understood
// cannot be kept.
const (
	caveatTime    = "time-before"
	caveatIP      = "ipaddr"
	caveatIPRange = "iprange"
	caveatCustom  = "lnd-custom"
)

// checkCaveat reports whether a caveat holds: nil, or the text that lnd gives.
func checkCaveat(caveat string, client netip.Addr, now time.Time, custom func(string) bool) error {
	name, arg, _ := strings.Cut(caveat, " ")
	if caveat == "" {
		return fmt.Errorf("cannot parse caveat %q: empty caveat", caveat)
	}
	if name == "" {
		return fmt.Errorf("cannot parse caveat %q: caveat starts with space character", caveat)
	}
	var err error
	switch name {
	case caveatTime:
		err = checkTime(arg, now)
	case caveatIP:
		err = checkIP(arg, client)
	case caveatIPRange:
		err = checkIPRange(arg, client)
	case caveatBudget: // read by budgets, and kept where money is spent
	case caveatCustom:
		err = checkCustom(arg, custom)
	default:
		err = errors.New("caveat not recognized")
	}
	if err != nil {
		return fmt.Errorf("caveat %q not satisfied: %w", caveat, err)
	}
	return nil
}

// checkCustom: somebody looks after a custom caveat.
func checkCustom(arg string, handled func(string) bool) error {
	switch {
	case arg != strings.TrimSpace(arg):
		return errors.New("unexpected white space found in caveat condition")
	case arg == "":
		return errors.New("expected custom caveat, got empty string")
	}
	name, _, _ := strings.Cut(arg, " ")
	if handled == nil || !handled(name) {
		return fmt.Errorf("cannot accept macaroon with custom caveat '%s', no middleware registered to handle it", name)
	}
	return nil
}

// customOf reads a custom caveat; false if it is another one.
func customOf(caveat string) (CustomCaveat, bool) {
	kind, arg, _ := strings.Cut(caveat, " ")
	name, condition, _ := strings.Cut(arg, " ")
	return CustomCaveat{name, condition}, kind == caveatCustom
}

func checkTime(arg string, now time.Time) error {
	expiry, err := time.Parse(time.RFC3339Nano, arg)
	if err != nil {
		return err
	}
	if !now.Before(expiry) {
		return errors.New("macaroon has expired")
	}
	return nil
}

func checkIP(arg string, client netip.Addr) error {
	if !client.IsValid() {
		return errors.New("unable to get peer info from context")
	}
	want, err := netip.ParseAddr(arg)
	if err != nil || want.Unmap() != client.Unmap().WithZone("") {
		return errors.New("macaroon locked to different IP address")
	}
	return nil
}

func checkIPRange(arg string, client netip.Addr) error {
	if !client.IsValid() {
		return errors.New("unable to get peer info from context")
	}
	want, err := netip.ParsePrefix(arg)
	if err != nil {
		return fmt.Errorf("unable to parse macaroon IP range: %w", err)
	}
	if !want.Contains(client.Unmap().WithZone("")) {
		return errors.New("macaroon locked to different IP range")
	}
	return nil
}

// A Caveat is a restriction that the holder of a macaroon may add.
type Caveat string

// ExpiresAt makes a macaroon useless from that moment on.
func ExpiresAt(t time.Time) Caveat {
	return Caveat(caveatTime + " " + t.UTC().Format(time.RFC3339Nano))
}

// OnlyFrom makes a macaroon useless for callers at other addresses.
func OnlyFrom(addr netip.Addr) Caveat { return Caveat(caveatIP + " " + addr.String()) }

// OnlyFromRange makes a macaroon useless for callers outside a range.
func OnlyFromRange(prefix netip.Prefix) Caveat {
	return Caveat(caveatIPRange + " " + prefix.Masked().String())
}

// Custom makes a macaroon useless unless a middleware of that name looks at each call. The condition, which may be
// empty, is the middleware's business.
func Custom(name, condition string) Caveat {
	c := Caveat(caveatCustom + " " + name)
	if condition != "" {
		c += Caveat(" " + condition)
	}
	return c
}

// Restrict adds caveats to a macaroon in binary form. It needs no key: anybody may narrow what they hold.
func Restrict(raw []byte, caveats ...Caveat) ([]byte, error) {
	var m macaroon.Macaroon
	if err := m.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("restrict macaroon: %w", err)
	}
	for _, c := range caveats {
		if err := m.AddFirstPartyCaveat([]byte(c)); err != nil {
			return nil, fmt.Errorf("restrict macaroon: %w", err)
		}
	}
	return m.MarshalBinary()
}
