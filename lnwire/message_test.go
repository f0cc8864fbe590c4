package lnwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Every message comes back as it went, and its bytes, too.
//
// B2.wire.9: extra records of every message among them. B7.wire.22: and features
// with leading zeros.
func TestRoundTrip(t *testing.T) {
	for _, typ := range allTypes() {
		t.Run(typ.String(), rapid.MakeCheck(func(t *rapid.T) {
			m := drawMessage(t, typ)
			b, err := Marshal(m)
			require.NoError(t, err)
			require.Equal(t, uint16(typ), binary.BigEndian.Uint16(b))
			input := bytes.Clone(b)
			back, err := Unmarshal(input)
			require.NoError(t, err)
			for i := range input { // nothing of the input is kept
				input[i] = 0xaa
			}
			require.Equal(t, m, back)
			again, err := Append([]byte{1, 2, 3}, back)
			require.NoError(t, err)
			require.Equal(t, append([]byte{1, 2, 3}, b...), again)
		}))
	}
}

// layouts are the fixed parts of the messages, copied from the tables of the spec:
// field of ours and width; "len" is a u16 length and the bytes, "sigs" a u16 count
// and the signatures, "ids" encoded_short_ids, "rest" all that follows.
var layouts = map[MsgType]string{
	MsgInit:                    "GlobalFeatures:len Features:len",
	MsgError:                   "ChannelID:32 Data:len",
	MsgWarning:                 "ChannelID:32 Data:len",
	MsgPing:                    "NumPongBytes:2 Padding:len",
	MsgPong:                    "Padding:len",
	MsgPeerStorage:             "Blob:len",
	MsgPeerStorageRetrieval:    "Blob:len",
	MsgStfu:                    "ChannelID:32 Initiator:1",
	MsgOpenChannel:             "ChainHash:32 TemporaryChannelID:32 FundingSat:8 PushMsat:8 DustLimit:8 MaxHTLCValueInFlight:8 ChannelReserve:8 HTLCMinimum:8 FeeratePerKW:4 ToSelfDelay:2 MaxAcceptedHTLCs:2 FundingPubKey:33 RevocationBasepoint:33 PaymentBasepoint:33 DelayedBasepoint:33 HTLCBasepoint:33 FirstPoint:33 Flags:1",
	MsgAcceptChannel:           "TemporaryChannelID:32 DustLimit:8 MaxHTLCValueInFlight:8 ChannelReserve:8 HTLCMinimum:8 MinimumDepth:4 ToSelfDelay:2 MaxAcceptedHTLCs:2 FundingPubKey:33 RevocationBasepoint:33 PaymentBasepoint:33 DelayedBasepoint:33 HTLCBasepoint:33 FirstPoint:33",
	MsgFundingCreated:          "TemporaryChannelID:32 FundingTxid:32 FundingOutput:2 Sig:64",
	MsgFundingSigned:           "ChannelID:32 Sig:64",
	MsgChannelReady:            "ChannelID:32 SecondPoint:33",
	MsgShutdown:                "ChannelID:32 Script:len",
	MsgClosingSigned:           "ChannelID:32 Fee:8 Sig:64",
	MsgClosingComplete:         "ChannelID:32 CloserScript:len CloseeScript:len Fee:8 LockTime:4",
	MsgClosingSig:              "ChannelID:32 CloserScript:len CloseeScript:len Fee:8 LockTime:4",
	MsgUpdateAddHTLC:           "ChannelID:32 ID:8 Amount:8 Hash:32 Expiry:4 Onion:1366",
	MsgUpdateFulfillHTLC:       "ChannelID:32 ID:8 Preimage:32",
	MsgUpdateFailHTLC:          "ChannelID:32 ID:8 Reason:len",
	MsgUpdateFailMalformedHTLC: "ChannelID:32 ID:8 OnionSHA256:32 FailureCode:2",
	MsgUpdateFee:               "ChannelID:32 FeeratePerKW:4",
	MsgCommitmentSigned:        "ChannelID:32 Sig:64 HTLCSigs:sigs",
	MsgRevokeAndAck:            "ChannelID:32 Secret:32 NextPoint:33",
	MsgChannelReestablish:      "ChannelID:32 NextCommitment:8 NextRevocation:8 LastSecret:32 CurrentPoint:33",
	MsgAnnouncementSignatures:  "ChannelID:32 SCID:8 NodeSig:64 BitcoinSig:64",
	MsgChannelAnnouncement:     "NodeSig1:64 NodeSig2:64 BitcoinSig1:64 BitcoinSig2:64 Features:len ChainHash:32 SCID:8 NodeID1:33 NodeID2:33 BitcoinKey1:33 BitcoinKey2:33 Extra:rest",
	MsgNodeAnnouncement:        "Sig:64 Features:len Timestamp:4 NodeID:33 RGB:3 Alias:32 RawAddrs:len Extra:rest",
	MsgChannelUpdate:           "Sig:64 ChainHash:32 SCID:8 Timestamp:4 MessageFlags:1 ChannelFlags:1 CLTVExpiryDelta:2 HTLCMinimum:8 FeeBase:4 FeePPM:4 HTLCMaximum:8 Extra:rest",
	MsgQueryShortChannelIDs:    "ChainHash:32 SCIDs:ids",
	MsgReplyShortChannelIDsEnd: "ChainHash:32 Full:1",
	MsgQueryChannelRange:       "ChainHash:32 FirstBlock:4 NumBlocks:4",
	MsgReplyChannelRange:       "ChainHash:32 FirstBlock:4 NumBlocks:4 Complete:1 SCIDs:ids",
	MsgGossipTimestampFilter:   "ChainHash:32 FirstTimestamp:4 TimestampRange:4",
	MsgOnionMessage:            "PathKey:33 Packet:len",
}

// layOut writes a message as its line of layouts says, by reflection.
func layOut(t require.TestingT, m Message) []byte {
	v := reflect.ValueOf(m).Elem()
	b := appendU16(nil, uint16(m.Type()))
	for part := range strings.FieldsSeq(layouts[m.Type()]) {
		name, width, _ := strings.Cut(part, ":")
		f := v.FieldByName(name)
		switch width {
		case "len":
			b = append(appendU16(b, uint16(f.Len())), f.Bytes()...)
		case "rest":
			b = append(b, f.Bytes()...)
		case "sigs":
			b = appendU16(b, uint16(f.Len()))
			for i := range f.Len() {
				sig := f.Index(i).Interface().(Sig)
				b = append(b, sig[:]...)
			}
		case "ids":
			b = append(appendU16(b, uint16(1+8*f.Len())), 0)
			for i := range f.Len() {
				b = appendU64(b, f.Index(i).Uint())
			}
		default:
			n, err := strconv.Atoi(width)
			require.NoError(t, err)
			b = append(b, fixedField(t, f, n)...)
		}
	}
	return b
}

func fixedField(t require.TestingT, f reflect.Value, width int) []byte {
	switch f.Kind() {
	case reflect.Array:
		b := make([]byte, f.Len())
		reflect.Copy(reflect.ValueOf(b), f)
		require.Len(t, b, width)
		return b
	case reflect.Bool:
		if f.Bool() {
			return []byte{1}
		}
		return []byte{0}
	default:
		require.Equal(t, width, f.Type().Bits()/8)
		return appendU64(nil, f.Uint())[8-width:]
	}
}

// clearRecords takes away the extension of a message.
func clearRecords(m Message) {
	v := reflect.ValueOf(m).Elem()
	for _, name := range []string{"Networks", "RemoteAddr", "UpfrontShutdown", "ChannelType", "Alias", "Range", "PathKey", "Flags", "Option", "Timestamps", "Checksums",
		"Attribution", "CloserOnly", "CloseeOnly", "BothOutputs"} {
		if f := v.FieldByName(name); f.IsValid() && f.Kind() != reflect.Array {
			f.SetZero()
		}
	}
	if f := v.FieldByName("Extra"); f.IsValid() && f.Type() == reflect.TypeFor[ExtraTLVs]() {
		f.SetZero()
	}
}

// B1.msg.1, B1.msg.6, B2.wire.1, B4.msg.1, B7.wire.21: type and fields stand where the spec
// puts them. B2.wire.12: a signature is 64 bytes.
func TestLayout(t *testing.T) {
	for _, typ := range allTypes() {
		t.Run(typ.String(), rapid.MakeCheck(func(t *rapid.T) {
			require.Contains(t, layouts, typ)
			m := drawMessage(t, typ)
			clearRecords(m)
			if node, ok := m.(*NodeAnnouncement); ok {
				node.Addresses, node.RawAddrs = nil, []byte{200, 1, 2}
			}
			b, err := Marshal(m)
			require.NoError(t, err)
			require.Equal(t, layOut(t, m), b)
			back, err := Unmarshal(b)
			require.NoError(t, err)
			require.Equal(t, m, back)
		}))
	}
}

// B1.msg.3: without its last byte, and without any more of them, a message is
// refused by name.
func TestShortMessages(t *testing.T) {
	for _, typ := range allTypes() {
		t.Run(typ.String(), rapid.MakeCheck(func(t *rapid.T) {
			m := drawMessage(t, typ)
			clearRecords(m)
			if f := reflect.ValueOf(m).Elem().FieldByName("Extra"); f.IsValid() {
				f.SetZero()
			}
			b, err := Marshal(m)
			require.NoError(t, err)
			_, err = Unmarshal(b[:rapid.IntRange(2, len(b)-1).Draw(t, "cut")])
			var at *DecodeError
			require.ErrorAs(t, err, &at)
			require.Equal(t, typ, at.Type)
			require.NotEmpty(t, at.Field)
			require.ErrorIs(t, err, ErrTruncated)
		}))
	}
	_, err := Unmarshal([]byte{0})
	require.EqualError(t, err, "decode message: 1 bytes, want 2 to 65535")
	_, err = Unmarshal(make([]byte, MaxMessage+1))
	require.Error(t, err)
	_, err = Unmarshal([]byte{0, 134, 1})
	require.EqualError(t, err, "decode update_fee: channel_id: want 32 bytes, have 1: truncated")
}

// B1.msg.2, B1.store.1: 65535 bytes go, one more does not: an error, no panic (V-59).
func TestLargestMessage(t *testing.T) {
	for _, make := range []func(n int) Message{
		func(n int) Message { return &PeerStorage{Blob: make([]byte, n)} },
		func(n int) Message { return &PeerStorageRetrieval{Blob: make([]byte, n)} },
		func(n int) Message { return &Pong{Padding: make([]byte, n)} },
	} {
		b, err := Marshal(make(65531))
		require.NoError(t, err)
		require.Len(t, b, MaxMessage)
		_, err = Unmarshal(b)
		require.NoError(t, err)
		for _, n := range []int{65532, 65536} {
			_, err = Marshal(make(n))
			require.ErrorContains(t, err, "encode p")
		}
	}
}

// B1.msg.5.
func TestUnknownTypes(t *testing.T) {
	for typ := range 1 << 16 {
		b := append(appendU16(nil, uint16(typ)), 1, 2, 3)
		m, err := Unmarshal(b)
		if newMessage(MsgType(typ)).Type() != MsgType(typ) {
			t.Fatalf("type %d makes a message of another", typ)
		}
		unknown, ok := newMessage(MsgType(typ)).(*Unknown)
		if !ok {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, &Unknown{MsgType: unknown.MsgType, Payload: []byte{1, 2, 3}}, m)
		require.Equal(t, typ%2 == 1, m.Type().IsOdd())
		again, err := Marshal(m)
		require.NoError(t, err)
		require.Equal(t, b, again)
	}
	require.Equal(t, "update_add_htlc", MsgUpdateAddHTLC.String())
	require.Equal(t, "message type 32769", MsgType(32769).String())
}

// BOLT 1 allows to ignore what stands behind its control messages, and an error is
// too important to be lost over it.
func TestControlMessagesIgnoreTheirExtension(t *testing.T) {
	for _, m := range []Message{&Error{}, &Warning{}, &Ping{}, &Pong{}, &PeerStorage{}, &PeerStorageRetrieval{}} {
		b, err := Marshal(m)
		require.NoError(t, err)
		back, err := Unmarshal(append(b, 0xca, 1))
		require.NoError(t, err)
		require.Equal(t, m, back)
	}
}

// B2.wire.2: all messages of a channel name it, by the temporary id as long as
// there is no other.
func TestChannelOf(t *testing.T) {
	id := ChannelID{1, 2, 3}
	n := 0
	for _, typ := range allTypes() {
		m, ok := newMessage(typ).(ChannelMessage)
		if !ok {
			continue
		}
		n++
		v := reflect.ValueOf(m).Elem()
		name := "ChannelID"
		if typ == MsgOpenChannel || typ == MsgAcceptChannel || typ == MsgFundingCreated {
			name = "TemporaryChannelID"
		}
		v.FieldByName(name).Set(reflect.ValueOf(id))
		require.Equal(t, id, m.Channel(), typ)
	}
	require.Equal(t, 21, n)
}

// B2.wire.11: BOLT 2 xors the index, big-endian, into the last two bytes.
func TestChannelID(t *testing.T) {
	op := wire.OutPoint{Hash: chainhash.Hash{0: 7, 30: 0x10, 31: 0x01}, Index: 0x1203}
	require.Equal(t, ChannelID{0: 7, 30: 0x02, 31: 0x02}, ChannelIDFrom(op))
	require.False(t, ChannelIDFrom(op).IsZero())
}

// B1.init.1, B1.init.2.
func TestInit(t *testing.T) {
	m := &Init{GlobalFeatures: NewFeatures(13), Features: NewFeatures(0, 9, 23), Networks: []chainhash.Hash{{1}, {2}}}
	require.Equal(t, []Bit{0, 9, 13, 23}, m.AllFeatures().Bits())
	b, err := Marshal(m)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0010 0002 2000 0003 800201 01 40"), b[:13])
	back, err := Unmarshal(b)
	require.NoError(t, err)
	require.Equal(t, m, back)
	short := unhex(t, "0010 0000 0000 01 3f"+strings.Repeat("00", 63))
	_, err = Unmarshal(short)
	require.ErrorContains(t, err, "decode init: networks: ")
}

// B1.err.1.
func TestErrorText(t *testing.T) {
	require.Equal(t, "all ~fine ", (&Error{Data: []byte("all ~fine ")}).Text())
	for _, bad := range []string{"\x1b[2J", "a\nb", "caf\u00e9", "\u202e", "\xff", "\x7f"} {
		for _, text := range []string{(&Error{Data: []byte(bad)}).Text(), (&Warning{Data: []byte(bad)}).Text()} {
			for _, c := range []byte(text) {
				require.True(t, c >= 32 && c <= 126, "%q", text)
			}
		}
	}
}

// B2.wire.3.
func TestUpfrontShutdownAbsentOrEmpty(t *testing.T) {
	for _, script := range [][]byte{nil, {}, {1}} {
		for _, m := range []Message{&OpenChannel{UpfrontShutdown: script}, &AcceptChannel{UpfrontShutdown: script}} {
			b, err := Marshal(m)
			require.NoError(t, err)
			back, err := Unmarshal(b)
			require.NoError(t, err)
			require.Equal(t, m, back)
		}
	}
}

// B2.wire.4: and it is compared as a set.
func TestChannelTypeRecord(t *testing.T) {
	anchors := NewFeatures(StaticRemoteKeyRequired, AnchorsRequired)
	b, err := Marshal(&OpenChannel{ChannelType: &anchors})
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(b, unhex(t, "01 03 401000")))
	b[len(b)-4] = 4 // the record with a leading zero
	b = append(b[:len(b)-3], 0, 0x40, 0x10, 0)
	m, err := Unmarshal(b)
	require.NoError(t, err)
	got := m.(*OpenChannel).ChannelType
	require.True(t, got.Exactly(StaticRemoteKeyRequired, AnchorsRequired))
	require.False(t, got.Exactly(StaticRemoteKeyRequired))
}

// Each record of BOLT 2 and 7 with one byte too few and one too many (V-67).
//
// B2.wire.5, B2.wire.6, B2.wire.7, B2.wire.13, B2.wire.14.
func TestRecordLengths(t *testing.T) {
	alias, option, key := ShortChannelID(5), uint64(3), PubKey(unhex(t, pointHex))
	for _, m := range []Message{
		&ChannelReady{Alias: &alias},
		&ClosingSigned{Range: &FeeRange{Min: 1, Max: 2}},
		&UpdateAddHTLC{PathKey: &key},
		&UpdateFailHTLC{Attribution: &Attribution{1}},
		&UpdateFulfillHTLC{Attribution: &Attribution{1}},
		&ClosingComplete{ClosingTerms{CloserOnly: &Sig{1}}},
		&ClosingComplete{ClosingTerms{CloseeOnly: &Sig{1}}},
		&ClosingSig{ClosingTerms{BothOutputs: &Sig{1}}},
		&QueryChannelRange{Option: &option},
		&QueryShortChannelIDs{SCIDs: []ShortChannelID{1, 2}, Flags: []uint64{1, 2}},
		&ReplyChannelRange{SCIDs: []ShortChannelID{1}, Timestamps: []ChannelTimestamps{{1, 2}}},
		&ReplyChannelRange{SCIDs: []ShortChannelID{1}, Checksums: []ChannelChecksums{{1, 2}}},
	} {
		b, err := Marshal(m)
		require.NoError(t, err)
		clearRecords(m)
		bare, err := Marshal(m)
		require.NoError(t, err)
		at := len(bare) + 1 // of the record's length, of one byte or behind 0xfd
		if b[at] == 0xfd {
			at += 2
		}
		longer := append(bytes.Clone(b), 1)
		longer[at]++
		_, err = Unmarshal(longer)
		require.ErrorContains(t, err, "tlv type", "%s", m.Type())
		shorter := bytes.Clone(b[:len(b)-1])
		shorter[at]--
		_, err = Unmarshal(shorter)
		require.ErrorContains(t, err, "tlv type", "%s", m.Type())
	}
	noPoint := PubKey{4}
	b, err := Marshal(&UpdateAddHTLC{PathKey: &noPoint})
	require.NoError(t, err)
	_, err = Unmarshal(b)
	require.ErrorIs(t, err, ErrBadPubKey)
	require.ErrorContains(t, err, "decode update_add_htlc: path_key: ")
}

// B2.wire.8.
func TestHTLCSignatureCount(t *testing.T) {
	full := &CommitmentSigned{HTLCSigs: make([]Sig, MaxHTLCSigs)}
	b, err := Marshal(full)
	require.NoError(t, err)
	back, err := Unmarshal(b)
	require.NoError(t, err)
	require.Equal(t, full, back)
	full.HTLCSigs = append(full.HTLCSigs, Sig{})
	_, err = Marshal(full)
	require.ErrorContains(t, err, "num_htlcs")
	binary.BigEndian.PutUint16(b[2+32+64:], MaxHTLCSigs+1)
	_, err = Unmarshal(append(b, make([]byte, 64)...))
	require.ErrorContains(t, err, "decode commitment_signed: num_htlcs: 967")
	binary.BigEndian.PutUint16(b[2+32+64:], MaxHTLCSigs-1)
	_, err = Unmarshal(b) // the last signature is no extension
	require.Error(t, err)
}

// B2.wire.10.
func TestStfuInitiator(t *testing.T) {
	for _, who := range []bool{true, false} {
		b, err := Marshal(&Stfu{Initiator: who})
		require.NoError(t, err)
		require.Equal(t, who, b[len(b)-1] == 1)
	}
}

// TestLengthBombs gives every length field its largest value with nothing behind
// it (V-43): no more is allocated than the message itself takes.
func TestLengthBombs(t *testing.T) {
	const small = 2048
	bombs := map[string][]byte{"commitment_signed": append(make([]byte, 96), 0x03, 0xc6)}
	for typ, layout := range layouts {
		var b []byte
		for part := range strings.FieldsSeq(layout) {
			name, width, _ := strings.Cut(part, ":")
			if n, err := strconv.Atoi(width); err == nil {
				b = append(b, make([]byte, n)...)
				continue
			}
			if width == "len" || width == "ids" {
				bombs[typ.String()+" "+name] = append(bytes.Clone(b), 0xff, 0xff)
				b = append(b, 0, 0)
			}
		}
		if !strings.Contains(layout, "rest") {
			for _, length := range []string{"fdffff", "feffffffff", "ffffffffffffffffff"} {
				bombs[typ.String()+" tlv "+length] = append(append(bytes.Clone(b), 0xc9), unhex(t, length)...)
				bombs[typ.String()+" known tlv "+length] = append(append(bytes.Clone(b), 1), unhex(t, length)...)
			}
		}
	}
	require.Greater(t, len(bombs), 100)
	for name, payload := range bombs {
		word, _, _ := strings.Cut(name, " ")
		typ := typeNamed(word)
		b := append(appendU16(nil, uint16(typ)), payload...)
		size := uint64(reflect.TypeOf(newMessage(typ)).Elem().Size())
		used := allocated(func() { _, _ = Unmarshal(b) })
		if used > small+size {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

func typeNamed(name string) MsgType {
	for _, typ := range allTypes() {
		if typ.String() == name {
			return typ
		}
	}
	return 0
}

// allocated is the mean number of bytes that f allocates.
func allocated(f func()) uint64 {
	const runs = 20
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// A message's memory is a small multiple of its bytes, whatever it holds.
func TestWorstRatioOfMemory(t *testing.T) {
	var records []TLV
	for typ := uint64(101); typ < 30000; typ += 2 {
		records = append(records, TLV{Type: typ})
	}
	stream, err := AppendTLVs(nil, records)
	require.NoError(t, err)
	b := append(append(appendU16(nil, uint16(MsgStfu)), make([]byte, 33)...), stream...)
	require.Less(t, len(b), MaxMessage)
	_, err = Unmarshal(b)
	require.NoError(t, err)
	require.Less(t, allocated(func() { _, _ = Unmarshal(b) }), uint64(12*len(b)))
}

// FuzzUnmarshal gives the decoder anything: it may refuse, but not panic, and what
// it takes it writes back, to the same bytes where they were signed.
func FuzzUnmarshal(f *testing.F) {
	for _, typ := range allTypes() {
		b, err := Marshal(rapid.Custom(func(t *rapid.T) Message { return drawMessage(t, typ) }).Example(int(typ)))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add(unhex(f, "001000000000c9012acb0104"))
	f.Add([]byte{0x80, 0x01, 1})
	f.Add(unhex(f, "001000000002 3030 0100"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Unmarshal(b)
		if err != nil {
			var at *DecodeError
			require.True(t, errors.As(err, &at) || len(b) < 2 || len(b) > MaxMessage)
			return
		}
		again, err := Marshal(m)
		if err != nil {
			// An array without its encoding byte gains one and may burst the message.
			require.Greater(t, len(b), MaxMessage-2)
			return
		}
		back, err := Unmarshal(again)
		require.NoError(t, err)
		require.Equal(t, m, back)
		switch m.(type) {
		case *ChannelAnnouncement, *NodeAnnouncement, *ChannelUpdate, *Unknown:
			require.Equal(t, b, again)
		case *CommitmentSigned, *UpdateAddHTLC, *OpenChannel, *AcceptChannel, *FundingCreated, *FundingSigned,
			*ChannelReady, *RevokeAndAck, *UpdateFee, *UpdateFulfillHTLC, *UpdateFailHTLC, *UpdateFailMalformedHTLC,
			*Shutdown, *ClosingSigned, *ClosingComplete, *ClosingSig, *OnionMessage, *ChannelReestablish, *AnnouncementSignatures, *QueryChannelRange, *GossipTimestampFilter:
			require.Equal(t, b, again)
		case *Init:
			if len(again) != len(b)-2 { // without an empty record of networks
				require.Equal(t, b, again)
			}
		default: // flag bytes above 1, empty arrays, ignored extensions
			require.LessOrEqual(t, len(again), len(b)+1)
		}
	})
}
