package signer

import (
	"bytes"

	"github.com/btcsuite/btcd/btcec/v2"
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

// SignMessage signs with the key at loc: 64 bytes, or 65 with Compact.
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
	sig := key.Sign(digest)
	return sig[:], nil
}

// VerifyMessage checks a signature of 64 bytes. Of m Text counts, with Schnorr also Tag.
// The error says what is not a key or a signature at all.
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
	if len(sig) != len(lnwire.Sig{}) {
		return false, mistake.Argument("the signature is not 64 bytes long")
	}
	parsed, err := lnwire.Sig(sig).ECDSA()
	if err != nil {
		return false, mistake.Argument("%w", err)
	}
	return parsed.Verify(digest[:], key), nil
}
