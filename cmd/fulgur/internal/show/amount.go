package show

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Number writes a whole number with thousands separators.
func Number[T ~int64 | ~uint64 | ~int32 | ~uint32 | ~int](n T) string {
	text := fmt.Sprintf("%d", n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// Sat writes an amount in satoshis: "1,000,000 sat".
func Sat[T ~int64 | ~uint64](sat T) string { return Number(sat) + " sat" }

// Msat writes an amount in millisatoshis as satoshis: "1,000.250 sat". The
// fraction is left out when there is none.
func Msat[T ~int64 | ~uint64](msat T) string {
	whole, rest := int64(msat)/1000, int64(msat)%1000
	if rest == 0 {
		return Sat(whole)
	}
	sign := ""
	if rest < 0 {
		rest = -rest
		if whole == 0 {
			sign = "-"
		}
	}
	return fmt.Sprintf("%s%s.%03d sat", sign, Number(whole), rest)
}

// ShortChannelID writes a short channel id as block x transaction x output.
func ShortChannelID(id uint64) string {
	return fmt.Sprintf("%dx%dx%d", id>>40, id>>16&0xffffff, id&0xffff)
}

// Time writes seconds since 1970 in the local zone; nothing for 0.
func Time(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return time.Unix(seconds, 0).Format("2006-01-02 15:04:05")
}

// Duration writes seconds in the two largest units.
func Duration(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d/time.Hour%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d/time.Minute%60)
	}
	return d.String()
}

// Short keeps the beginning of a long identifier, enough to tell it from others.
func Short(id string) string {
	if len(id) <= 16 {
		return id
	}
	return id[:16] + "…"
}

// units are what may follow a number, in millisatoshis. There is no k or m: it
// would not be clear of what.
var units = []struct {
	suffix string
	msat   int64
}{{"msat", 1}, {"sats", 1000}, {"sat", 1000}, {"btc", 100_000_000_000}}

var (
	errAmount   = errors.New(`want satoshis such as 50000, or a unit such as 50000sat, 0.0005btc`)
	errFraction = errors.New("finer than this field can hold")
	errRange    = errors.New("out of range")
)

// ParseMsat reads an amount. Without a unit the number counts bare units of so
// many millisatoshis.
func ParseMsat(text string, bare int64) (int64, error) {
	number, scale := strings.ToLower(strings.ReplaceAll(text, "_", "")), bare
	for _, u := range units {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, scale = strings.TrimSpace(n), u.msat
			break
		}
	}
	if strings.Trim(number, "0123456789.") != "" || number == "" || strings.Count(number, ".") > 1 {
		return 0, fmt.Errorf("amount %q: %w", text, errAmount)
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, fmt.Errorf("amount %q: %w", text, errAmount)
	}
	r.Mul(r, new(big.Rat).SetInt64(scale))
	switch {
	case !r.IsInt():
		return 0, fmt.Errorf("amount %q: %w", text, errFraction)
	case !r.Num().IsInt64():
		return 0, fmt.Errorf("amount %q: %w", text, errRange)
	}
	return r.Num().Int64(), nil
}

// ParseSat reads an amount; a number without a unit is in satoshis.
func ParseSat(text string) (int64, error) {
	msat, err := ParseMsat(text, 1000)
	if err != nil {
		return 0, err
	}
	if msat%1000 != 0 {
		return 0, fmt.Errorf("amount %q: %w", text, errFraction)
	}
	return msat / 1000, nil
}

// ParseShortChannelID reads a short channel id, as a number or as block x
// transaction x output.
func ParseShortChannelID(text string) (uint64, error) {
	if id, err := strconv.ParseUint(text, 10, 64); err == nil {
		return id, nil
	}
	var block, tx, out uint64
	n, err := fmt.Sscanf(text+"\n", "%dx%dx%d\n", &block, &tx, &out)
	if err != nil || n != 3 || block > 0xffffff || tx > 0xffffff || out > math.MaxUint16 {
		return 0, fmt.Errorf("channel id %q: want a number, or block x transaction x output such as 110x1x0", text)
	}
	return block<<40 | tx<<16 | out, nil
}
