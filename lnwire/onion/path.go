package onion

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// BlindedPath is a path whose nodes only its maker knows, but for the first
// (BOLT 4, Route Blinding). Who has it can pay or write to its end.
type BlindedPath struct {
	// FirstNode is first_node_id, the introduction node. It is zero when the path
	// names its first node by a channel (FirstChannel), and when that was entered
	// already (Enter).
	FirstNode    lnwire.PubKey
	FirstChannel *ChannelEnd
	PathKey      lnwire.PubKey // first_path_key
	Hops         []BlindedHop  // at least one; the first is FirstNode's
}

// ChannelEnd names a node by a channel of its.
type ChannelEnd struct {
	SCID   lnwire.ShortChannelID
	Second bool // node_id_2 of its channel_announcement, else node_id_1
}

// Append writes the end behind b, as sciddir_or_pubkey has it (BOLT 1).
func (c *ChannelEnd) Append(b []byte) []byte {
	side := byte(0)
	if c.Second {
		side = 1
	}
	return binary.BigEndian.AppendUint64(append(b, side), uint64(c.SCID))
}

// BlindedHop is one node of a blinded path.
type BlindedHop struct {
	NodeID lnwire.PubKey // blinded_node_id
	Data   []byte        // encrypted_recipient_data
}

// PathNode is a node of a path that we make, with what it is told.
type PathNode struct {
	Node lnwire.PubKey
	Data []byte // encrypted_data_tlv, as RecipientData.Encode writes it
}

// Blind makes a blinded path over nodes, the last of which is its end. The session key
// must be fresh for each path. An error is a mistake of the caller: no nodes, or a key
// that is no point.
//
// B4.path.1: secrets, tweaks and path keys follow from the session key, node by node.
// B4.path.2: each node's data is encrypted with its own rho key and a nonce of zeros.
func Blind(sessionKey *btcec.PrivateKey, nodes []PathNode) (BlindedPath, error) {
	if len(nodes) == 0 {
		return BlindedPath{}, errors.New("blinded path: no nodes")
	}
	if sessionKey == nil || sessionKey.Key.IsZero() {
		return BlindedPath{}, errors.New("blinded path: session key is zero")
	}
	e := btcec.PrivateKey{Key: sessionKey.Key}
	path := BlindedPath{FirstNode: nodes[0].Node, PathKey: lnwire.NewPubKey(e.PubKey())}
	for i, n := range nodes {
		point, err := n.Node.Parse()
		if err != nil {
			return BlindedPath{}, fmt.Errorf("blinded path: node %d: %w", i, err)
		}
		secret := sharedSecret(point, &e.Key)
		tweak := deriveKey(keyBlinded, secret)
		path.Hops = append(path.Hops, BlindedHop{
			NodeID: lnwire.NewPubKey(curve.Multiply(point, scalar(tweak[:]))),
			Data:   sealData(deriveKey(keyRho, secret), n.Data),
		})
		e.Key.Mul(blindingFactor(e.PubKey().SerializeCompressed(), secret))
	}
	return path, nil
}

func sealData(rho [32]byte, data []byte) []byte {
	aead, _ := chacha20poly1305.New(rho[:]) // fails on other lengths only
	return aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), data, nil)
}

// Enter takes the first step of a path whose first node we are: it opens our data and
// gives the rest of the path, whose FirstNode is zero. What is sent along the rest
// goes to the node that the data names, together with the rest's PathKey.
func (p BlindedPath) Enter(key ECDH) (RecipientData, BlindedPath, error) {
	if len(p.Hops) < 2 {
		return RecipientData{}, BlindedPath{}, errors.New("enter blinded path: it ends with us")
	}
	b, err := Unblind(key, p.PathKey)
	if err != nil {
		return RecipientData{}, BlindedPath{}, err
	}
	data, err := b.OpenData(p.Hops[0].Data)
	if err != nil {
		return RecipientData{}, BlindedPath{}, err
	}
	return data, BlindedPath{PathKey: data.Next(b), Hops: p.Hops[1:]}, nil
}

// OpenData decrypts encrypted_recipient_data and reads it. The error is ErrBadData.
func (b Blinding) OpenData(encrypted []byte) (RecipientData, error) {
	plain, ok := b.Open(encrypted)
	if !ok {
		return RecipientData{}, fmt.Errorf("%w: it was not encrypted for this path key", ErrBadData)
	}
	return DecodeRecipientData(plain)
}

// AppendPath writes the path behind b as the subtype blinded_path.
//
// B4.path.4: the first node by id or by channel, the first path key, a count of one
// byte and as many hops. The error says what does not fit.
func AppendPath(b []byte, p BlindedPath) ([]byte, error) {
	if len(p.Hops) == 0 || len(p.Hops) > 255 {
		return nil, fmt.Errorf("blinded path: %d hops, want 1 to 255", len(p.Hops))
	}
	if p.FirstChannel != nil {
		b = p.FirstChannel.Append(b)
	} else {
		b = append(b, p.FirstNode[:]...)
	}
	b = append(append(b, p.PathKey[:]...), byte(len(p.Hops)))
	for i, h := range p.Hops {
		if len(h.Data) > 65535 {
			return nil, fmt.Errorf("blinded path: data of hop %d has %d bytes, want at most 65535", i, len(h.Data))
		}
		b = binary.BigEndian.AppendUint16(append(b, h.NodeID[:]...), uint16(len(h.Data)))
		b = append(b, h.Data...)
	}
	return b, nil
}

// ReadPath takes a blinded_path off the front of b. Nothing is allocated before its
// bytes are there (V-43), and no reference to b is kept.
//
// B4.path.5: a path without hops, one that is cut off, and keys that are no points are
// refused.
func ReadPath(b []byte) (p BlindedPath, rest []byte, err error) {
	bad := func(what string) (BlindedPath, []byte, error) {
		return BlindedPath{}, nil, fmt.Errorf("blinded path: %s", what)
	}
	switch {
	case len(b) >= 9 && b[0] <= 1:
		p.FirstChannel = &ChannelEnd{SCID: lnwire.ShortChannelID(binary.BigEndian.Uint64(b[1:])), Second: b[0] == 1}
		b = b[9:]
	case !takePoint(&p.FirstNode, &b):
		return bad("first_node_id")
	}
	if !takePoint(&p.PathKey, &b) {
		return bad("first_path_key")
	}
	if len(b) == 0 || b[0] == 0 {
		return bad("no hops")
	}
	const least = pubKeyLen + 2
	n, b := int(b[0]), b[1:]
	if n*least > len(b) {
		return bad(fmt.Sprintf("%d hops in %d bytes", n, len(b)))
	}
	p.Hops = make([]BlindedHop, n)
	for i := range p.Hops {
		if !takePoint(&p.Hops[i].NodeID, &b) || len(b) < 2 {
			return bad(fmt.Sprintf("hop %d", i))
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size > len(b) {
			return bad(fmt.Sprintf("hop %d: %d bytes of data, %d left", i, size, len(b)))
		}
		p.Hops[i].Data, b = append([]byte{}, b[:size]...), b[size:]
	}
	return p, b, nil
}

// takePoint takes a public key off the front of b; false when there is none.
func takePoint(to *lnwire.PubKey, b *[]byte) bool {
	if len(*b) < len(to) {
		return false
	}
	copy(to[:], *b)
	*b = (*b)[len(to):]
	_, err := to.Parse()
	return err == nil
}
