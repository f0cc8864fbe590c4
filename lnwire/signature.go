package lnwire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// ErrBadSig says that 64 bytes cannot be a signature: r or s is zero, or not below
// the order of the curve.
var ErrBadSig = errors.New("not an ECDSA signature: r or s out of range")

// NewSig gives the compact form of a signature.
func NewSig(sig *ecdsa.Signature) (s Sig) {
	r, v := sig.R(), sig.S()
	r.PutBytesUnchecked(s[:32])
	v.PutBytesUnchecked(s[32:])
	return s
}

// SigFromDER reads the strict DER form, as it stands in Bitcoin scripts but
// without the byte for the hash type. A high s is kept as it is.
func SigFromDER(der []byte) (Sig, error) {
	sig, err := ecdsa.ParseDERSignature(der)
	if err != nil {
		return Sig{}, fmt.Errorf("read DER signature: %w", err)
	}
	return NewSig(sig), nil
}

// ECDSA gives the signature for verifying, or ErrBadSig.
func (s Sig) ECDSA() (*ecdsa.Signature, error) {
	r, v, ok := s.scalars()
	if !ok {
		return nil, ErrBadSig
	}
	return ecdsa.NewSignature(&r, &v), nil
}

// scalars splits the signature; ok is false when a half is out of range.
func (s Sig) scalars() (r, v btcec.ModNScalar, ok bool) {
	over := r.SetByteSlice(s[:32])
	over = v.SetByteSlice(s[32:]) || over
	return r, v, !over && !r.IsZero() && !v.IsZero()
}

// IsLowS reports a signature that is in range and whose s is in the lower half,
// which is what Bitcoin nodes relay (V-02).
func (s Sig) IsLowS() bool {
	_, v, ok := s.scalars()
	return ok && !v.IsOverHalfOrder()
}

// DER is the form that goes into a Bitcoin script, without the byte for the hash
// type. It changes nothing: a high s stays high.
func (s Sig) DER() []byte {
	body := appendDERInt(nil, s[:32])
	body = appendDERInt(body, s[32:])
	return append([]byte{0x30, byte(len(body))}, body...)
}

// appendDERInt writes a positive integer: no leading zero bytes but the one that
// keeps the sign.
func appendDERInt(b, v []byte) []byte {
	v = bytes.TrimLeft(v, "\x00")
	if len(v) == 0 || v[0]&0x80 != 0 {
		v = append([]byte{0}, v...)
	}
	return append(append(b, 0x02, byte(len(v))), v...)
}

// SignedDigest is what all four signatures sign: the double SHA256 of the payload
// behind them, unknown bytes included. A message that Marshal refuses has the zero
// digest.
//
// B7.wire.15: the digest leaves out the four signatures and nothing else.
func (m *ChannelAnnouncement) SignedDigest() [32]byte { return signedDigest(m, 4*len(Sig{})) }

// SignedDigest is what the signature signs: the double SHA256 of the payload
// behind it, unknown bytes included. A message that Marshal refuses has the zero
// digest.
//
// B7.wire.16: the digest leaves out the signature and nothing else.
func (m *NodeAnnouncement) SignedDigest() [32]byte { return signedDigest(m, len(Sig{})) }

// SignedDigest is what the signature signs, as with NodeAnnouncement.
//
// B7.wire.17: the digest leaves out the signature and nothing else.
func (m *ChannelUpdate) SignedDigest() [32]byte { return signedDigest(m, len(Sig{})) }

func signedDigest(m Message, skip int) [32]byte {
	b, err := m.appendPayload(make([]byte, 0, 512))
	if err != nil {
		return [32]byte{}
	}
	return chainhash.DoubleHashH(b[skip:])
}

// VerifySig reports whether the owner of key signed digest. What is no key or no
// signature has not signed. A high s is accepted: gossip does not forbid it.
func VerifySig(digest [32]byte, key PubKey, sig Sig) bool {
	return curve.Verify(key[:], digest, sig)
}
