package keys

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// XPub is an extended public key as BIP 32 passes it from hand to hand.
type XPub struct {
	Key    lnwire.PubKey
	Chain  [32]byte
	Parent [4]byte // the first bytes of the hash of the parent's key
	Depth  uint8
	Child  uint32 // the last step of its path; a hardened one has the top bit
}

const xpubLen = 78

// ParseXPub reads the text form. version is what its first four bytes are, by which it is
// xpub, tpub, zpub and so on. The error says what is wrong with the text; a private key is
// refused by that word.
func ParseXPub(text string) (x XPub, version uint32, err error) {
	b := base58.Decode(text)
	if len(b) != xpubLen+4 {
		return x, 0, mistake.Argument("the provided serialized extended key length is invalid")
	}
	sum := chainhash.DoubleHashB(b[:xpubLen])
	if [4]byte(sum) != [4]byte(b[xpubLen:]) {
		return x, 0, mistake.Argument("bad extended key checksum")
	}
	x = XPub{Depth: b[4], Parent: [4]byte(b[5:]), Child: binary.BigEndian.Uint32(b[9:]), Chain: [32]byte(b[13:])}
	if b[45] == 0 {
		return x, 0, mistake.Argument("private keys cannot be imported")
	}
	x.Key = lnwire.PubKey(b[45:xpubLen])
	if _, err := x.Key.Parse(); err != nil {
		return x, 0, mistake.Argument("extended key: %w", err)
	}
	return x, binary.BigEndian.Uint32(b), nil
}

// Text is the key with a version in front.
func (x XPub) Text(version uint32) string {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, xpubLen+4), version)
	b = append(b, x.Depth)
	b = append(b, x.Parent[:]...)
	b = binary.BigEndian.AppendUint32(b, x.Child)
	b = append(b, x.Chain[:]...)
	b = append(b, x.Key[:]...)
	return base58.Encode(append(b, chainhash.DoubleHashB(b)[:4]...))
}

// open makes the key ready to derive from.
func (x XPub) open() (p xpub, err error) {
	key, err := x.Key.Parse()
	if err != nil {
		return p, fmt.Errorf("extended key: %w", err)
	}
	p.ser, p.chain = x.Key, x.Chain
	key.AsJacobian(&p.point)
	return p, nil
}

// fingerprint names a key in what is derived from it.
func fingerprint(key lnwire.PubKey) [4]byte { return [4]byte(address.Hash160(key[:])) }

// FamilyID is the extended public key of a family of the node's keys: m/1017'/coin'/family'.
func (r *Ring) FamilyID(f uint32) (XPub, error) {
	k, err := accountKey(r.coin, f)
	if err != nil {
		return XPub{}, err
	}
	return XPub{
		Key: k.withPub().pub, Chain: k.chain, Depth: 3, Child: f | hardened, Parent: fingerprint(r.coin.withPub().pub),
	}, nil
}
