package lnwire

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// QueryShortChannelIDs asks for the announcements of a list of channels.
type QueryShortChannelIDs struct {
	ChainHash chainhash.Hash
	SCIDs     []ShortChannelID // encoding 0 only; the zlib encoding is refused
	Flags     []uint64         // TLV 1: query_flags, one for each id, or nil
	Extra     ExtraTLVs
}

// ReplyShortChannelIDsEnd ends the answer to a QueryShortChannelIDs.
type ReplyShortChannelIDsEnd struct {
	ChainHash chainhash.Hash
	Full      bool // full_information
	Extra     ExtraTLVs
}

// QueryChannelRange asks for the ids of the channels in a range of blocks.
type QueryChannelRange struct {
	ChainHash  chainhash.Hash
	FirstBlock Height
	NumBlocks  uint32
	Option     *uint64 // TLV 1: query_option_flags
	Extra      ExtraTLVs
}

// ChannelTimestamps are the timestamps of both updates of a channel, 0 for none.
type ChannelTimestamps struct{ Node1, Node2 uint32 }

// ChannelChecksums are the CRC32C sums of both updates of a channel.
type ChannelChecksums struct{ Node1, Node2 uint32 }

// ReplyChannelRange answers a QueryChannelRange, in one message or several.
type ReplyChannelRange struct {
	ChainHash  chainhash.Hash
	FirstBlock Height
	NumBlocks  uint32
	Complete   bool // sync_complete
	SCIDs      []ShortChannelID
	Timestamps []ChannelTimestamps // TLV 1, or nil
	Checksums  []ChannelChecksums  // TLV 3, or nil
	Extra      ExtraTLVs
}

// GossipTimestampFilter asks for gossip as it comes, and for what there is
// within a range of timestamps.
type GossipTimestampFilter struct {
	ChainHash      chainhash.Hash
	FirstTimestamp uint32
	TimestampRange uint32
	Extra          ExtraTLVs
}

// encodingPlain is the one encoding of arrays in gossip queries: elements one
// after the other. Encoding 1, zlib, is refused without looking inside (V-50).
const encodingPlain = 0

// elements takes an array that fills the reader: the encoding byte, then elements
// of the given width. It gives the elements' bytes. An array without even the
// encoding byte is an empty one.
//
// B7.wire.11: any encoding but plain is refused, zlib without inflating.
// B7.wire.12: an array holds a whole number of elements.
func (r *reader) elements(width int, field string) []byte {
	if r.err != nil || len(r.b) == 0 {
		return nil
	}
	if e := r.u8(field); e != encodingPlain {
		r.fail(field, fmt.Errorf("encoding %d, only %d is taken", e, encodingPlain))
		return nil
	}
	if len(r.b)%width != 0 {
		r.fail(field, fmt.Errorf("%d bytes are no whole number of elements of %d", len(r.b), width))
		return nil
	}
	return r.take(len(r.b), field)
}

// scids reads encoded_short_ids with its length.
//
// B7.wire.13: the ids ascend, and so none stands twice.
func (r *reader) scids() []ShortChannelID {
	const field = "encoded_short_ids"
	list := reader{b: r.take(int(r.u16("len")), field)}
	raw := list.elements(8, field)
	if list.err != nil {
		r.fail(field, list.err)
	}
	if len(raw) == 0 {
		return nil
	}
	ids := make([]ShortChannelID, len(raw)/8)
	for i := range ids {
		ids[i] = ShortChannelID(bigEndian(raw[8*i : 8*i+8]))
		if i > 0 && ids[i] <= ids[i-1] {
			r.fail(field, fmt.Errorf("%s does not follow %s: %w", ids[i], ids[i-1], ErrNotAscending))
			return nil
		}
	}
	return ids
}

func appendSCIDs(b []byte, ids []ShortChannelID) ([]byte, error) {
	v := make([]byte, 1, 1+8*len(ids)) // encodingPlain
	for i, id := range ids {
		if i > 0 && id <= ids[i-1] {
			return nil, fmt.Errorf("encoded_short_ids: %s does not follow %s: %w", id, ids[i-1], ErrNotAscending)
		}
		v = appendU64(v, uint64(id))
	}
	return appendBlob(b, v, "encoded_short_ids")
}

// sameCount checks that a record of per-channel values has one for each id.
func (r *reader) sameCount(n, ids int, field string) {
	if n != ids {
		r.fail(field, fmt.Errorf("%d values for %d ids", n, ids))
	}
}

func (m *QueryShortChannelIDs) appendPayload(b []byte) ([]byte, error) {
	b, err := appendSCIDs(append(b, m.ChainHash[:]...), m.SCIDs)
	if err != nil {
		return nil, err
	}
	var known []TLV
	if m.Flags != nil {
		if len(m.Flags) != len(m.SCIDs) {
			return nil, fmt.Errorf("query_flags: %d for %d ids", len(m.Flags), len(m.SCIDs))
		}
		v := []byte{encodingPlain}
		for _, f := range m.Flags {
			v = AppendBigSize(v, f)
		}
		known = []TLV{{Type: 1, Value: v}}
	}
	return appendExtension(b, known, m.Extra)
}

func (m *QueryShortChannelIDs) readPayload(r *reader) {
	m.ChainHash = r.hash("chain_hash")
	m.SCIDs = r.scids()
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		if typ != 1 {
			return false
		}
		m.Flags = v.queryFlags(len(m.SCIDs))
		return true
	})
}

// queryFlags reads a minimal big size for each of n ids.
//
// B7.wire.14: there is exactly one flag for each id.
func (r *reader) queryFlags(n int) []uint64 {
	const field = "encoded_query_flags"
	rest := r.elements(1, field)
	if r.err != nil {
		return nil
	}
	if len(rest) < n { // each takes a byte at least
		r.sameCount(len(rest), n, field)
		return nil
	}
	flags := make([]uint64, 0, n)
	for len(rest) > 0 && len(flags) < n {
		var f uint64
		var err error
		if f, rest, err = ReadBigSize(rest); err != nil {
			r.fail(field, err)
			return nil
		}
		flags = append(flags, f)
	}
	r.sameCount(len(flags)+len(rest), n, field)
	return flags
}

func (m *ReplyShortChannelIDsEnd) appendPayload(b []byte) ([]byte, error) {
	b = appendBool(append(b, m.ChainHash[:]...), m.Full)
	return appendExtension(b, nil, m.Extra)
}

func (m *ReplyShortChannelIDsEnd) readPayload(r *reader) {
	m.ChainHash = r.hash("chain_hash")
	m.Full = r.u8("full_information") != 0
	r.extension(&m.Extra, noRecords)
}

func (m *QueryChannelRange) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChainHash[:]...)
	b = appendU32(b, uint32(m.FirstBlock))
	b = appendU32(b, m.NumBlocks)
	var known []TLV
	if m.Option != nil {
		known = []TLV{{Type: 1, Value: AppendBigSize(nil, *m.Option)}}
	}
	return appendExtension(b, known, m.Extra)
}

func (m *QueryChannelRange) readPayload(r *reader) {
	m.ChainHash = r.hash("chain_hash")
	m.FirstBlock = Height(r.u32("first_blocknum"))
	m.NumBlocks = r.u32("number_of_blocks")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		if typ != 1 {
			return false
		}
		option, rest, err := ReadBigSize(v.b)
		if err != nil {
			v.fail("query_option_flags", err)
			return true
		}
		m.Option, v.b = &option, rest
		return true
	})
}

func (m *ReplyChannelRange) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChainHash[:]...)
	b = appendU32(b, uint32(m.FirstBlock))
	b = appendU32(b, m.NumBlocks)
	b, err := appendSCIDs(appendBool(b, m.Complete), m.SCIDs)
	if err != nil {
		return nil, err
	}
	var known []TLV
	if m.Timestamps != nil {
		if len(m.Timestamps) != len(m.SCIDs) {
			return nil, fmt.Errorf("timestamps: %d for %d ids", len(m.Timestamps), len(m.SCIDs))
		}
		v := []byte{encodingPlain}
		for _, t := range m.Timestamps {
			v = appendU32(appendU32(v, t.Node1), t.Node2)
		}
		known = append(known, TLV{Type: 1, Value: v})
	}
	if m.Checksums != nil {
		if len(m.Checksums) != len(m.SCIDs) {
			return nil, fmt.Errorf("checksums: %d for %d ids", len(m.Checksums), len(m.SCIDs))
		}
		v := make([]byte, 0, 8*len(m.Checksums))
		for _, c := range m.Checksums {
			v = appendU32(appendU32(v, c.Node1), c.Node2)
		}
		known = append(known, TLV{Type: 3, Value: v})
	}
	return appendExtension(b, known, m.Extra)
}

func (m *ReplyChannelRange) readPayload(r *reader) {
	m.ChainHash = r.hash("chain_hash")
	m.FirstBlock = Height(r.u32("first_blocknum"))
	m.NumBlocks = r.u32("number_of_blocks")
	m.Complete = r.u8("sync_complete") != 0
	m.SCIDs = r.scids()
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		switch typ {
		case 1:
			m.Timestamps = v.timestamps(len(m.SCIDs))
		case 3:
			m.Checksums = v.checksums(len(m.SCIDs))
		default:
			return false
		}
		return true
	})
}

func (r *reader) timestamps(n int) []ChannelTimestamps {
	const field = "encoded_timestamps"
	raw := reader{b: r.elements(8, field)}
	r.sameCount(len(raw.b)/8, n, field)
	if r.err != nil {
		return nil
	}
	list := make([]ChannelTimestamps, n)
	for i := range list {
		list[i] = ChannelTimestamps{Node1: raw.u32(field), Node2: raw.u32(field)}
	}
	return list
}

func (r *reader) checksums(n int) []ChannelChecksums {
	const field = "checksums"
	r.sameCount(len(r.b)/8, n, field)
	if r.err != nil {
		return nil
	}
	list := make([]ChannelChecksums, n)
	for i := range list {
		list[i] = ChannelChecksums{Node1: r.u32(field), Node2: r.u32(field)}
	}
	return list
}

func (m *GossipTimestampFilter) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChainHash[:]...)
	b = appendU32(b, m.FirstTimestamp)
	b = appendU32(b, m.TimestampRange)
	return appendExtension(b, nil, m.Extra)
}

func (m *GossipTimestampFilter) readPayload(r *reader) {
	m.ChainHash = r.hash("chain_hash")
	m.FirstTimestamp = r.u32("first_timestamp")
	m.TimestampRange = r.u32("timestamp_range")
	r.extension(&m.Extra, noRecords)
}
