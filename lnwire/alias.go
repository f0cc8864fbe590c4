package lnwire

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// RGB is a colour for a human's eyes.
type RGB [3]byte

// Alias is a node's name, 32 bytes of UTF-8 padded with zeros. It is hostile
// text: show it by String only.
type Alias [32]byte

// NewAlias makes an alias of valid UTF-8 of at most 32 bytes.
//
// B7.wire.2: an alias of ours is valid UTF-8, with zeros behind it.
func NewAlias(text string) (a Alias, err error) {
	if len(text) > len(a) {
		return a, fmt.Errorf("alias %q: %d bytes, at most %d", text, len(text), len(a))
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return a, fmt.Errorf("alias %q: not plain UTF-8", text)
	}
	copy(a[:], text)
	return a, nil
}

// String is the alias in a form that is safe to print: what is not UTF-8 and what
// would not be seen or would move other text about (control, format and
// bidirectional characters, line separators) is replaced by U+FFFD (V-65).
func (a Alias) String() string {
	text := strings.TrimRight(string(a[:]), "\x00")
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return utf8.RuneError
	}, text)
}

// String is the colour in the form #3399ff.
func (c RGB) String() string { return "#" + hex.EncodeToString(c[:]) }

// ParseRGB reads the form #3399ff.
func ParseRGB(text string) (c RGB, err error) {
	digits, ok := strings.CutPrefix(text, "#")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(c) {
		return c, fmt.Errorf("colour %q: want # and six hex digits", text)
	}
	return RGB(b), nil
}
