package lnwire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// MilliSat is an amount in thousandths of a satoshi. It is unsigned as on the
// wire: compare before you subtract.
type MilliSat uint64

// Sat is an amount in satoshi. It is unsigned as on the wire.
type Sat uint64

// MaxSat is all the money there can be; every amount on the wire is below it.
const MaxSat Sat = 21_000_000 * 100_000_000

// MilliSat converts without loss for every amount up to MaxSat.
func (s Sat) MilliSat() MilliSat { return MilliSat(s) * 1000 }

// Sat rounds down, as BOLT 3 does for every output of a commitment.
func (m MilliSat) Sat() Sat { return Sat(m / 1000) }

// String shows the amount with its unit.
func (m MilliSat) String() string { return strconv.FormatUint(uint64(m), 10) + " msat" }

// String shows the amount with its unit.
func (s Sat) String() string { return strconv.FormatUint(uint64(s), 10) + " sat" }

// SatPerKW is a fee rate in satoshi per 1000 units of weight, the unit of
// feerate_per_kw in BOLT 2.
type SatPerKW uint32

// FeeFloor is the lowest fee rate that relays: 253 sat/kw, one sat/vbyte rounded
// up so that no rounding falls below the relay minimum.
const FeeFloor SatPerKW = 253

// Fee is the fee of a transaction of the given weight, rounded down (BOLT 3).
func (r SatPerKW) Fee(weight int64) Sat { return Sat(uint64(r) * uint64(weight) / 1000) }

// SatPerVByte is the rate in whole satoshi per virtual byte, rounded down.
func (r SatPerKW) SatPerVByte() uint64 { return uint64(r) * 4 / 1000 }

// Height is the height of a block; it travels with the block's hash wherever a
// reorg could change its meaning.
type Height uint32

// BlockRef names a block: its height and its hash.
type BlockRef struct {
	Height Height
	Hash   chainhash.Hash
}

// ChannelID names a channel between its two peers (BOLT 2): the funding txid with
// the output index xored into its last two bytes, or a temporary random one.
type ChannelID [32]byte

// ChannelIDFrom derives the id of the channel funded by op.
//
// B2.wire.11: the output index changes the last two bytes of the txid.
func ChannelIDFrom(op wire.OutPoint) ChannelID {
	id := ChannelID(op.Hash)
	id[30] ^= byte(op.Index >> 8)
	id[31] ^= byte(op.Index)
	return id
}

// String is the id in hex.
func (c ChannelID) String() string { return hex.EncodeToString(c[:]) }

// IsZero reports the all-zero id, which in an error or a warning means every
// channel with the peer (BOLT 1).
func (c ChannelID) IsZero() bool { return c == ChannelID{} }

// ShortChannelID names a channel by the place of its funding output in the chain
// (BOLT 7): block height (3 bytes), transaction index (3), output index (2).
//
// B7.wire.20: the three numbers have 3, 3 and 2 bytes, and read 539268x845x1.
type ShortChannelID uint64

// NewShortChannelID packs the three numbers; each must fit its width.
func NewShortChannelID(block Height, tx uint32, out uint16) ShortChannelID {
	return ShortChannelID(uint64(block&0xffffff)<<40 | uint64(tx&0xffffff)<<16 | uint64(out))
}

// Block is the height of the funding transaction's block.
func (s ShortChannelID) Block() Height { return Height(s >> 40) }

// TxIndex is the index of the funding transaction within its block.
func (s ShortChannelID) TxIndex() uint32 { return uint32(s>>16) & 0xffffff }

// Output is the index of the funding output.
func (s ShortChannelID) Output() uint16 { return uint16(s) }

// String is the field's customary form, such as 539268x845x1.
func (s ShortChannelID) String() string {
	return fmt.Sprintf("%dx%dx%d", s.Block(), s.TxIndex(), s.Output())
}

// ParseShortChannelID reads 539268x845x1, 539268:845:1 or the plain number.
func ParseShortChannelID(text string) (ShortChannelID, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return ShortChannelID(n), nil
	}
	parts := strings.Split(strings.ReplaceAll(text, ":", "x"), "x")
	if len(parts) != 3 {
		return 0, fmt.Errorf("short channel id %q: want BLOCKxTXxOUT", text)
	}
	widths := [3]int{24, 24, 16}
	var n [3]uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, widths[i])
		if err != nil {
			return 0, fmt.Errorf("short channel id %q: %w", text, err)
		}
		n[i] = v
	}
	return NewShortChannelID(Height(n[0]), uint32(n[1]), uint16(n[2])), nil
}

// Hash is a payment hash: the SHA256 of a Preimage.
type Hash [32]byte

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Preimage is the secret whose knowledge proves and claims a payment.
type Preimage [32]byte

// Hash is the payment hash that p opens.
func (p Preimage) Hash() Hash { return sha256.Sum256(p[:]) }

// Secret is 32 bytes that must not be shown: payment secrets, per-commitment
// secrets, shared secrets. It prints as a fixed word.
type Secret [32]byte

// String hides the secret from logs.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "[secret]" }

// PubKey is a compressed secp256k1 public key as it travels. It need not be a
// point until Parse has said so.
type PubKey [33]byte

// ErrBadPubKey says that 33 bytes are no compressed point of the curve.
var ErrBadPubKey = errors.New("not a compressed secp256k1 public key")

// NewPubKey serialises a key.
func NewPubKey(k *btcec.PublicKey) (p PubKey) {
	copy(p[:], k.SerializeCompressed())
	return p
}

// Parse gives the point, or ErrBadPubKey.
func (p PubKey) Parse() (*btcec.PublicKey, error) {
	if p[0] != 2 && p[0] != 3 {
		return nil, ErrBadPubKey
	}
	k, err := btcec.ParsePubKey(p[:])
	if err != nil {
		return nil, ErrBadPubKey
	}
	return k, nil
}

// ParsePubKey reads the hex form and checks that it is a point.
func ParsePubKey(text string) (p PubKey, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(p) {
		return p, fmt.Errorf("public key %q: want 66 hex digits", text)
	}
	copy(p[:], b)
	_, err = p.Parse()
	return p, err
}

// String is the key in hex.
func (p PubKey) String() string { return hex.EncodeToString(p[:]) }

// IsZero reports a key that was never set.
func (p PubKey) IsZero() bool { return p == PubKey{} }

// Sig is a compact ECDSA signature as it travels: r and s, 32 bytes each,
// big-endian (BOLT 2).
//
// B2.wire.12: signatures travel as 64 bytes, never as DER.
type Sig [64]byte
