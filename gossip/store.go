package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Kind is a kind of row. The numbers are stored.
type Kind uint8

const (
	// KindChannel is a channel with its announcement; the key is its id.
	KindChannel Kind = iota + 1
	// KindSpent is the height at which a channel's funding was spent; the key is its id.
	KindSpent
	// KindUpdate is a channel_update; the key is the channel's id and the side.
	KindUpdate
	// KindNode is a node_announcement; the key is the node's id.
	KindNode
	// KindOwn is the newest channel_update of a channel of ours; the key is its
	// number.
	KindOwn
	// KindTip is the last block that was seen. There is one row; the key is empty.
	KindTip
)

// Kinds are all kinds in the order in which Restore wants them.
var Kinds = []Kind{KindChannel, KindSpent, KindUpdate, KindNode, KindOwn, KindTip}

// Key names a row: at most 33 bytes, which sort as they should within a Kind.
type Key struct {
	Kind Kind
	Key  string
}

// Row is a change of one row: a nil Value deletes it.
type Row struct {
	Key
	Value []byte
}

// Graph is what stores rows. Put keeps nothing of its arguments.
type Graph interface {
	Put(kind Kind, key, value []byte) error
	Delete(kind Kind, key []byte) error
}

// Apply writes rows in order.
func Apply(g Graph, rows []Row) error {
	for _, r := range rows {
		var err error
		if r.Value == nil {
			err = g.Delete(r.Kind, []byte(r.Key.Key))
		} else {
			err = g.Put(r.Kind, []byte(r.Key.Key), r.Value)
		}
		if err != nil {
			return fmt.Errorf("write gossip row of kind %d: %w", r.Kind, err)
		}
	}
	return nil
}

// rowVersion stands in front of every value.
const rowVersion = 1

var errRow = errors.New("malformed row")

func channelKey(id lnwire.ShortChannelID) Key {
	return Key{KindChannel, string(binary.BigEndian.AppendUint64(nil, uint64(id)))}
}

func updateKey(id lnwire.ShortChannelID, side int) Key {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 9), uint64(id))
	return Key{KindUpdate, string(append(b, byte(side)))}
}

func nodeKey(id lnwire.PubKey) Key { return Key{KindNode, string(id[:])} }

func ownKey(num uint64) Key {
	return Key{KindOwn, string(binary.BigEndian.AppendUint64(nil, num))}
}

// AnnouncementKey, UpdateKey and NodeKey name the rows with the messages that the map was
// learned from: ReadMessage reads one. The side is that of the node that sent the update, 0
// for Node1.
func AnnouncementKey(id lnwire.ShortChannelID) Key { return channelKey(id) }

// UpdateKey is the row of a channel_update.
func UpdateKey(id lnwire.ShortChannelID, side int) Key { return updateKey(id, side) }

// NodeKey is the row of a node_announcement.
func NodeKey(id lnwire.PubKey) Key { return nodeKey(id) }

// ReadMessage is the message in the row of a key.
func ReadMessage(k Key, value []byte) (lnwire.Message, error) {
	raw, err := rawOf(k.Kind, value)
	if err != nil {
		return nil, err
	}
	return lnwire.Unmarshal(raw)
}

// channelHead is what stands before the announcement in a channel's row: version,
// txid, index, capacity.
const channelHead = 1 + 32 + 4 + 8

func channelValue(op wire.OutPoint, capacity lnwire.Sat, raw []byte) []byte {
	b := make([]byte, 0, channelHead+len(raw))
	b = append(b, rowVersion)
	b = append(b, op.Hash[:]...)
	b = binary.BigEndian.AppendUint32(b, op.Index)
	b = binary.BigEndian.AppendUint64(b, uint64(capacity))
	return append(b, raw...)
}

func readChannelValue(b []byte) (op wire.OutPoint, capacity lnwire.Sat, raw []byte, err error) {
	if len(b) < channelHead || b[0] != rowVersion {
		return op, 0, nil, errRow
	}
	copy(op.Hash[:], b[1:33])
	op.Index = binary.BigEndian.Uint32(b[33:])
	capacity = lnwire.Sat(binary.BigEndian.Uint64(b[37:]))
	return op, capacity, b[channelHead:], nil
}

func rawValue(raw []byte) []byte { return append([]byte{rowVersion}, raw...) }

func spentKey(id lnwire.ShortChannelID) Key {
	return Key{KindSpent, channelKey(id).Key}
}

func spentValue(h lnwire.Height) []byte {
	return binary.BigEndian.AppendUint32([]byte{rowVersion}, uint32(h))
}

func readSpent(r Row) (id lnwire.ShortChannelID, h lnwire.Height, err error) {
	if len(r.Key.Key) != 8 || len(r.Value) != 5 || r.Value[0] != rowVersion {
		return 0, 0, errRow
	}
	id = lnwire.ShortChannelID(binary.BigEndian.Uint64([]byte(r.Key.Key)))
	return id, lnwire.Height(binary.BigEndian.Uint32(r.Value[1:])), nil
}

// rawOf is the message within a row that has one.
func rawOf(k Kind, value []byte) ([]byte, error) {
	if k == KindChannel {
		_, _, raw, err := readChannelValue(value)
		return raw, err
	}
	if len(value) < 3 || value[0] != rowVersion {
		return nil, errRow
	}
	return value[1:], nil
}

func tipValue(t lnwire.BlockRef) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{rowVersion}, uint32(t.Height)), t.Hash[:]...)
}

func readTipValue(b []byte) (t lnwire.BlockRef, err error) {
	if len(b) != 37 || b[0] != rowVersion {
		return t, errRow
	}
	t.Height = lnwire.Height(binary.BigEndian.Uint32(b[1:]))
	copy(t.Hash[:], b[5:])
	return t, nil
}
