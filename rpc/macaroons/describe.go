package macaroons

import (
	"fmt"

	"gopkg.in/macaroon.v2"
)

// Content is what anybody can read in a macaroon. Nothing of it has been checked.
type Content struct {
	Version  uint16
	Location string
	Key      string // the number of the root key, as text
	Ops      []Op
	Caveats  []string
}

// Describe reads a macaroon in binary form.
func Describe(raw []byte) (Content, error) {
	var m macaroon.Macaroon
	if err := m.UnmarshalBinary(raw); err != nil {
		return Content{}, fmt.Errorf("unable to decode macaroon: %w", err)
	}
	key, ops, err := decodeID(m.Id())
	if err != nil {
		return Content{}, err
	}
	c := Content{Version: uint16(m.Version()), Location: m.Location(), Key: key, Ops: ops}
	for _, caveat := range m.Caveats() {
		c.Caveats = append(c.Caveats, string(caveat.Id))
	}
	return c, nil
}
