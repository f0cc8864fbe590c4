package signer

import (
	"bytes"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Message is what is signed, and how.
type Message struct {
	Text    []byte
	Double  bool   // SHA256 twice
	Compact bool   // 65 bytes, from which the key can be recovered; ECDSA only
	Schnorr bool   // BIP 340
	Root    []byte // sign with the key of a taproot output with this root; Schnorr only
	Tag     []byte // of the hash; Schnorr only
}

// check: the options do not contradict each other, and the tag is no one's by which a
// signature of a message would be one of a transaction. Clients of lnd compare the texts.
func (m *Message) check() error {
	switch {
	case m.Schnorr && m.Compact:
		return mistake.Argument("compact format can not be used for Schnorr signatures")
	case !m.Schnorr && len(m.Tag) > 0:
		return mistake.Argument("tag can only be used when the Schnorr signature option is set")
	case !m.Schnorr && len(m.Root) > 0:
		return mistake.Argument("a tap tweak can only be used when the Schnorr signature option is set")
	case bytes.HasPrefix(m.Tag, []byte("BIP0340")):
		return mistake.Argument("tag cannot have BIP0340 prefix")
	case bytes.HasPrefix(m.Tag, chainhash.TagTapSighash):
		return mistake.Argument("tag cannot be TapSighash")
	case m.Double && len(m.Tag) > 0:
		return mistake.Argument("double hash and tag can't be set at the same time")
	}
	return nil
}

func (m *Message) digest() [32]byte {
	switch {
	case len(m.Tag) > 0:
		return *chainhash.TaggedHash(m.Tag, m.Text)
	case m.Double:
		return chainhash.DoubleHashH(m.Text)
	}
	return chainhash.HashH(m.Text)
}

// SignMessage signs with the key at loc: DER, as lnd gives it, 65 bytes with Compact, 64
// with Schnorr.
func (s *Signer) SignMessage(loc keys.KeyLoc, m *Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	key, err := s.ring.Key(loc)
	if err != nil {
		return nil, err
	}
	digest := m.digest()
	switch {
	case m.Schnorr:
		if len(m.Root) > 0 {
			key = key.Taproot(m.Root)
		}
		sig, err := key.SignSchnorr(digest)
		return sig[:], err
	case m.Compact:
		sig := key.SignCompact(digest)
		return sig[:], nil
	}
	return key.Sign(digest).DER(), nil
}

// VerifyMessage checks a signature: 64 bytes with Schnorr, else DER or the 64 bytes of r
// and s. Of m Text counts, with Schnorr also Tag. The error says what is not a key or a
// signature at all.
func VerifyMessage(m *Message, sig, pub []byte) (bool, error) {
	if !m.Schnorr && len(m.Tag) > 0 {
		return false, mistake.Argument("tag can only be used when the Schnorr signature option is set")
	}
	digest := (&Message{Text: m.Text, Tag: m.Tag}).digest()
	if m.Schnorr {
		if len(pub) == btcec.PubKeyBytesLenCompressed {
			pub = pub[1:]
		}
		key, err := schnorr.ParsePubKey(pub)
		if err != nil {
			return false, mistake.Argument("%w", err)
		}
		parsed, err := schnorr.ParseSignature(sig)
		if err != nil {
			return false, mistake.Argument("%w", err)
		}
		return parsed.Verify(digest[:], key), nil
	}
	key, err := btcec.ParsePubKey(pub)
	if err != nil {
		return false, mistake.Argument("%w", err)
	}
	parsed, err := parseECDSA(sig)
	if err != nil {
		return false, mistake.Argument("failed to decode signature: %w", err)
	}
	return parsed.Verify(digest[:], key), nil
}

// parseECDSA tells the two forms apart by their length: a DER signature of 64 bytes would
// have an r and an s that nobody finds.
func parseECDSA(sig []byte) (*ecdsa.Signature, error) {
	if len(sig) == len(lnwire.Sig{}) {
		return lnwire.Sig(sig).ECDSA()
	}
	return ecdsa.ParseDERSignature(sig)
}
