package channeldb

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

// rowCase is a kind of row: how a value becomes key and row, and back.
type rowCase struct {
	name   string
	make   func(f filler) any
	encode func(v any) (key, row []byte)
	decode func(key, row []byte) (any, error)
}

func rowOf[T any](name string, fix func(*T), write func(*ops, *T), read func(key, row []byte) (T, error)) rowCase {
	return rowCase{
		name: name,
		make: func(f filler) any {
			v := fill[T](f)
			if fix != nil {
				fix(&v)
			}
			return v
		},
		encode: func(v any) (key, row []byte) {
			o := &ops{now: 12345}
			value := v.(T)
			write(o, &value)
			s := o.list[0]
			return o.b[s.key:s.row], o.b[s.row:s.end]
		},
		decode: func(key, row []byte) (any, error) { return read(key, row) },
	}
}

// plain is a row whose key says nothing.
func plain[T any](name string, encode func(*enc, *T), decode func(row []byte) (*T, error)) rowCase {
	return rowOf(name, nil, func(o *ops, v *T) {
		o.start(inNotes, put)
		o.row(1)
		encode(&o.enc, v)
		o.end()
	}, func(_, row []byte) (T, error) {
		v, err := decode(row)
		return *v, err
	})
}

func value[T any](v *T, err error) (T, error) { return *v, err }

var testRef = htlc.Ref{ChanNum: 7, Dir: htlc.Outgoing, ID: 9}

var rowCases = []rowCase{
	plain("channel-terms", encodeTerms, decodeTerms),
	plain("channel-core", encodeCore, decodeCore),
	plain("channel-policy", encodePolicy, decodePolicy),
	plain("channel-local", encodeLocal, decodeLocal),
	plain("channel-secrets", encodeSecrets, decodeSecrets),
	plain("channel-closed", encodeClosed, decodeClosed),
	plain("onion", func(e *enc, v *[lnwire.OnionLen]byte) { encodeOnion(e, v) }, decodeOnion),
	rowOf("channel-funding", nil, func(o *ops, v *channel.FundingTx) {
		o.channel(&channel.Delta{Fundings: []channel.FundingTx{*v}})
	}, func(key, row []byte) (channel.FundingTx, error) { return decodeFunding(outPointOf(key[9:]), row) }),
	rowOf("htlc", func(h *htlc.HTLC) { h.Ref = testRef }, func(o *ops, v *htlc.HTLC) {
		o.channel(&channel.Delta{HTLCs: []htlc.HTLC{*v}})
	}, func(_, row []byte) (htlc.HTLC, error) { return decodeHTLC(testRef, row) }),
	rowOf("revoked", func(r *channel.Revoked) {
		for i := range r.HTLCs {
			ref := &r.HTLCs[i].Ref
			ref.ChanNum, ref.Dir, ref.ID = 7, ref.Dir&1, ref.ID>>1
		}
	}, func(o *ops, v *channel.Revoked) {
		o.channel(&channel.Delta{ChanNum: 7, Revoked: []channel.Revoked{*v}})
	}, func(key, row []byte) (channel.Revoked, error) { return decodeRevoked(7, number(key[8:]), row) }),
	rowOf("outcome", func(v *htlc.Outcome) { v.Origin.Kind = htlc.FromForward }, (*ops).outcome,
		func(_, row []byte) (htlc.Outcome, error) { return decodeOutcome(row) }),
	rowOf("answer", nil, (*ops).answer, func(key, row []byte) (invoice.Answer, error) {
		return decodeAnswer(refOf(key[1:]), row)
	}),
	rowOf("tag", nil, func(o *ops, v *forward.Tag) { o.tags(&forward.Delta{Tags: []forward.Tag{*v}}) }, decodeTag),
	rowOf("forward", nil, (*ops).forward, func(_, row []byte) (forward.Record, error) { return decodeForward(row) }),
	rowOf("event", func(v *Event) { v.Seq, v.At = 0, (&dec{v: []byte{0x60, 0x72}}).time() }, func(o *ops, v *Event) {
		o.event(v.ChanNum, v.Kind)
	}, decodeEvent),
	rowOf("branch", nil, func(o *ops, v *wallet.BranchRow) {
		o.wallet(&wallet.Delta{Branches: []wallet.BranchRow{*v}})
	}, decodeBranch),
	rowOf("account", nil, (*ops).account, decodeAccount),
	rowOf("watched-key", nil, (*ops).importedKey, decodeImportedKey),
	rowOf("key-family", nil, func(o *ops, v *wallet.FamilyRow) {
		o.wallet(&wallet.Delta{Families: []wallet.FamilyRow{*v}})
	}, decodeFamily),
	rowOf("coin-numbered", nil, (*ops).coin, decodeCoin),
	rowOf("branch-numbered", nil, func(o *ops, v *wallet.BranchRow) {
		o.wallet(&wallet.Delta{Branches: []wallet.BranchRow{*v}})
	}, decodeBranch),
	rowOf("coin", nil, (*ops).coin, decodeCoin),
	rowOf("wallet-tx", func(v *wallet.TxRow) { v.Charges = nil }, (*ops).walletTx, decodeWalletTx),
	rowOf("wallet-tx-charged", func(v *wallet.TxRow) {
		v.Charges = []budget.Charge{{ID: budget.ID{1}, Day: 20_777, Amount: 1 << 40}, {ID: budget.ID{2}}}
	}, (*ops).walletTx, decodeWalletTx),
	rowOf("lease", nil, (*ops).lease, decodeLease),
	rowOf("wish", nil, (*ops).wish, decodeWish),
	rowOf("tip", nil, func(o *ops, v *wallet.TipRow) { o.wallet(&wallet.Delta{Tip: v}) },
		func(_, row []byte) (wallet.TipRow, error) { return value(decodeTip(row)) }),
	rowOf("blob", nil, func(o *ops, v *Blob) { o.blobs(&Batch{Blobs: []Blob{*v}}) }, decodeBlob),
	rowOf("peer", nil, func(o *ops, v *Peer) { o.peers(&Batch{Peers: []Peer{*v}}) }, decodePeer),
	rowOf("invoice", func(v *invoice.Invoice) {
		v.Hints = slices.DeleteFunc(v.Hints, func(h invoice.RouteHint) bool { return h == nil })
		if len(v.Hints) == 0 {
			v.Hints = nil
		}
		for i := range v.Parts {
			for k := range v.Parts[i].Custom {
				v.Parts[i].Custom[k].Value = append([]byte{}, v.Parts[i].Custom[k].Value...)
			}
		}
	}, (*ops).invoice, func(key, row []byte) (invoice.Invoice, error) { return value(decodeInvoice(key, row)) }),
	rowOf("invoice-blinded", func(v *invoice.Invoice) {
		*v = invoice.Invoice{Hash: v.Hash, AddIndex: 3, Secret: v.Secret, Blinded: true}
	},
		(*ops).invoice, func(key, row []byte) (invoice.Invoice, error) { return value(decodeInvoice(key, row)) }),
	rowOf("payment", func(v *routing.Payment) {
		v.Terms.Hints = slices.DeleteFunc(v.Terms.Hints, func(h []routing.HintHop) bool { return h == nil })
		if len(v.Terms.Hints) == 0 {
			v.Terms.Hints = nil
		}
		for k := range v.Terms.Custom {
			v.Terms.Custom[k].Value = append([]byte{}, v.Terms.Custom[k].Value...)
		}
		for i := range v.Terms.Blinded {
			noNilData(&v.Terms.Blinded[i].Tail)
		}
		if v.Route != nil {
			noNilData(v.Route.Tail)
		}
		v.Charges = nil
	}, func(o *ops, v *routing.Payment) { o.payments(&routing.Delta{Payment: v}) },
		func(key, row []byte) (routing.Payment, error) { return value(decodePayment(key, row)) }),
	rowOf("payment-blinded", func(v *routing.Payment) {
		v.Terms = routing.Terms{Hash: v.Terms.Hash, Amount: 5, Blinded: []routing.BlindedPath{
			{Intro: lnwire.PubKey{2, 1}, Tail: someTail(), Base: 1000, PPM: 20, Delta: 144, Min: 1, Max: 1 << 40, Features: lnwire.Features{1}}, {},
		}}
		v.Limits = routing.Limits{MaxPart: 7_000_000, TimePref: -0.25}
		tail := someTail()
		v.Route = &routing.Route{Amount: 6, Hops: []routing.Hop{{SCID: 9, Fee: 1, Forward: 5}, {Forward: 5}}, Tail: &tail}
	}, func(o *ops, v *routing.Payment) { o.payments(&routing.Delta{Payment: v}) },
		func(key, row []byte) (routing.Payment, error) { return value(decodePayment(key, row)) }),
	rowOf("payment-charged", func(v *routing.Payment) {
		*v = routing.Payment{Terms: routing.Terms{Hash: v.Terms.Hash, Amount: 5}, Charges: []budget.Charge{
			{ID: budget.ID{1}, Day: 20_777, Amount: 1 << 40}, {ID: budget.ID{2}},
		}}
	}, func(o *ops, v *routing.Payment) { o.payments(&routing.Delta{Payment: v}) },
		func(key, row []byte) (routing.Payment, error) { return value(decodePayment(key, row)) }),
	rowOf("budget", nil, func(o *ops, v *budget.Spent) {
		o.start(inBudgets, put)
		o.bytes(v.ID[:])
		o.row(1)
		encodeSpent(&o.enc, v)
		o.end()
	}, decodeSpent),
	rowOf("budget-change", nil, func(o *ops, v *budget.Change) { o.budgets([]budget.Change{*v}) }, decodeChange),
	rowOf("htlc-resolution", nil, (*ops).finalResolution, decodeFinalResolution),
	rowOf("attempt", asRead, (*ops).attempt, func(_, row []byte) (routing.Attempt, error) { return DecodeAttempt(row) }),
	rowOf("attempt-update", func(a *routing.Attempt) {
		asRead(a)
		if a.Failure == nil {
			a.Failure = &routing.AttemptFailure{}
		}
		if a.Failure.Update == nil {
			a.Failure.Update = &lnwire.ChannelUpdate{SCID: 1 << 40, Timestamp: 7, MessageFlags: 1, FeePPM: 100, Extra: []byte{0xfe, 1, 2, 3}}
		}
	}, (*ops).attempt, func(_, row []byte) (routing.Attempt, error) { return DecodeAttempt(row) }),
	rowOf("score", nil, func(o *ops, v *routing.PairHistory) {
		o.scores(&Batch{Scores: []routing.PairHistory{*v}})
	}, decodeScore),
	rowOf("meta", nil, func(o *ops, v *metaView) {
		o.start(inMeta, put)
		m := meta{v.Schema, v.MinReader, v.Genesis, v.NodeID, v.Epoch}
		o.list[0].row = len(o.b)
		o.bytes(m.encode())
		o.end()
	}, func(_, row []byte) (metaView, error) {
		m, err := decodeMeta(row)
		return metaView{m.schema, m.minReader, m.genesis, m.nodeID, m.epoch}, err
	}),
	// With the fields of the simple close.
	rowOf("channel-core-simple", func(c *channel.Core) {
		c.PeerCloseTx, c.CloseRate = fillerOf(1).tx(), 253
		c.OldScripts = [][]byte{{0x51, 2, 1, 2}, {0x51, 2, 3, 4}}
	}, func(o *ops, c *channel.Core) {
		o.start(inNotes, put)
		o.row(1)
		encodeCore(&o.enc, c)
		o.end()
	}, func(_, row []byte) (channel.Core, error) { return value(decodeCore(row)) }),
	// With when it was locked in, the accountability signal and attribution data.
	rowOf("htlc-attributed", func(h *htlc.HTLC) {
		h.Ref = testRef
		h.LockedAt, h.Accountable = time.Unix(1_700_000_000, 123).UTC(), lnwire.AccountableTrial
		a := fill[lnwire.Attribution](fillerOf(3))
		h.Removal = &htlc.Resolution{Kind: htlc.Failed, Reason: []byte{1, 2}, Attribution: &a}
	}, func(o *ops, v *htlc.HTLC) {
		o.channel(&channel.Delta{HTLCs: []htlc.HTLC{*v}})
	}, func(_, row []byte) (htlc.HTLC, error) { return decodeHTLC(testRef, row) }),
	// With what a peer took of HTLCs that were failed upstream.
	plain("channel-core-forfeit", encodeCore, decodeCore),
	rowOf("htlc-late", func(h *htlc.HTLC) { h.Ref, h.Late = testRef, true }, func(o *ops, v *htlc.HTLC) {
		o.channel(&channel.Delta{HTLCs: []htlc.HTLC{*v}})
	}, func(_, row []byte) (htlc.HTLC, error) { return decodeHTLC(testRef, row) }),
	rowOf("invoice-counted", func(v *invoice.Invoice) {
		*v = invoice.Invoice{Hash: v.Hash, AddIndex: 3, Secret: v.Secret, Parts: []invoice.Part{{Amount: 5, Counted: 9}}}
	},
		(*ops).invoice, func(key, row []byte) (invoice.Invoice, error) { return value(decodeInvoice(key, row)) }),
	// With records of applications.
	rowOf("htlc-custom", func(h *htlc.HTLC) {
		*h = htlc.HTLC{Ref: testRef, Amount: 5, State: htlc.RcvdAddAckRevocation, Custom: lnwire.ExtraTLVs{{Type: 65537, Value: []byte{1, 2}}, {Type: 1 << 40, Value: []byte{}}}}
	}, func(o *ops, v *htlc.HTLC) {
		o.channel(&channel.Delta{HTLCs: []htlc.HTLC{*v}})
	}, func(_, row []byte) (htlc.HTLC, error) { return decodeHTLC(testRef, row) }),
	rowOf("payment-custom", func(v *routing.Payment) {
		custom := lnwire.ExtraTLVs{{Type: 65537, Value: []byte{9}}}
		v.Terms, v.Limits = routing.Terms{Hash: v.Terms.Hash, Amount: 5}, routing.Limits{Custom: custom}
		v.Route = &routing.Route{Amount: 6, Hops: []routing.Hop{{SCID: 9, Forward: 6}}, Custom: custom}
	}, func(o *ops, v *routing.Payment) { o.payments(&routing.Delta{Payment: v}) },
		func(key, row []byte) (routing.Payment, error) { return value(decodePayment(key, row)) }),
	rowOf("attempt-holds", func(a *routing.Attempt) {
		*a = routing.Attempt{ID: 7, Status: routing.Succeeded, Holds: []time.Duration{2 * time.Second, 0, math.MaxUint32 * holdUnit}}
	}, (*ops).attempt, func(_, row []byte) (routing.Attempt, error) { return DecodeAttempt(row) }),
	rowOf("attempt-onion", func(a *routing.Attempt) {
		*a = routing.Attempt{ID: 7, Status: routing.Failed, Failure: &routing.AttemptFailure{Code: onion.InvalidOnionHMAC, OnionSHA256: lnwire.Hash{9, 8}}}
	}, (*ops).attempt, func(_, row []byte) (routing.Attempt, error) { return DecodeAttempt(row) }),
	rowOf("self", func(s *SelfChanges) {
		if s.Alias == nil || s.AliasOf == nil {
			s.Alias, s.AliasOf = nil, nil
		}
		if s.Color == nil || s.ColorOf == nil {
			s.Color, s.ColorOf = nil, nil
		}
	}, (*ops).self, func(_, row []byte) (SelfChanges, error) { return decodeSelf(row) }),
	rowOf("conduct", nil, func(o *ops, v *Conduct) { o.conducts([]Conduct{*v}) }, decodeConduct),
	// One that waits for the others of its batch.
	rowOf("channel-funding-batch", func(v *channel.FundingTx) { v.Ours, v.Batch = true, 3 }, func(o *ops, v *channel.FundingTx) {
		o.channel(&channel.Delta{Fundings: []channel.FundingTx{*v}})
	}, func(key, row []byte) (channel.FundingTx, error) { return decodeFunding(outPointOf(key[9:]), row) }),
	// With the window, and a search with a longer one.
	rowOf("tip-window", nil, func(o *ops, v *wallet.TipRow) { o.wallet(&wallet.Delta{Tip: v}) },
		func(_, row []byte) (wallet.TipRow, error) { return value(decodeTip(row)) }),
}

// TestFundingThatWaitsIsNotRead: a program that does not know of batches must not publish one
// that is not signed by all.
func TestFundingThatWaitsIsNotRead(t *testing.T) {
	older := func(f *channel.FundingTx) error {
		e := enc{b: []byte{1}}
		encodeFunding(&e, f)
		d := read(e.b, 1)
		for d.next() {
			if d.t != 0 && d.t != 2 {
				d.unknown()
			}
		}
		return d.end("funding")
	}
	require.ErrorIs(t, older(&channel.FundingTx{Ours: true, Batch: 2}), ErrNewer)
	require.NoError(t, older(&channel.FundingTx{Ours: true}))
}

// asRead gives an attempt the form in which it is read.
func asRead(a *routing.Attempt) {
	noNilData(a.Route.Tail)
	for i, h := range a.Holds {
		a.Holds[i] = time.Duration(uint32(h)) * holdUnit
	}
}

// noNilData gives what is empty the form in which it is read.
func noNilData(t *routing.Tail) {
	if t != nil {
		for i := range t.Hops {
			t.Hops[i].Data = append([]byte{}, t.Hops[i].Data...)
		}
	}
}

func someTail() routing.Tail {
	return routing.Tail{PathKey: lnwire.PubKey{3, 3}, Hops: []routing.BlindedHop{{ID: lnwire.PubKey{2, 5}, Data: []byte{1, 2, 3}}, {ID: lnwire.PubKey{3, 6}, Data: []byte{}}}}
}

// metaView is meta with names that can be filled.
type metaView struct {
	Schema, MinReader uint64
	Genesis           [32]byte
	NodeID            lnwire.PubKey
	Epoch             uint64
}

func TestEveryRowReadsBackAsWritten(t *testing.T) {
	for _, c := range rowCases {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := c.make(fillerOf(rapid.Uint64().Draw(t, "seed")))
				key, row := c.encode(v)
				got, err := c.decode(key, row)
				require.NoError(t, err)
				require.Equal(t, v, got)
			})
		})
	}
}

func TestZeroRowsReadBack(t *testing.T) {
	var zeroTerms channel.Terms
	e := &enc{b: []byte{1}}
	encodeTerms(e, &zeroTerms)
	got, err := decodeTerms(e.b)
	require.NoError(t, err)
	require.Equal(t, &zeroTerms, got)

	for _, script := range [][]byte{nil, {}, {1}} {
		e := &enc{b: []byte{1}}
		encodeCore(e, &channel.Core{OurShutdown: script})
		got, err := decodeCore(e.b)
		require.NoError(t, err)
		require.Equal(t, script, got.OurShutdown, "empty is not nil")
	}
}

// TestGoldenRows reads rows of every version ever released. -rewrite makes the
// files that are missing and tells anew what the rows say; it never changes a row.
func TestGoldenRows(t *testing.T) {
	for i, c := range rowCases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join("testdata", "rows", c.name+".v1.golden")
			data, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) && *rewrite {
				key, row := c.encode(c.make(fillerOf(uint64(1000 + i))))
				data = []byte(hex.EncodeToString(key) + "\n" + hex.EncodeToString(row) + "\n")
			} else {
				require.NoError(t, err)
			}
			lines := bytes.SplitN(data, []byte("\n"), 3)
			key, err := hex.DecodeString(string(lines[0]))
			require.NoError(t, err)
			row, err := hex.DecodeString(string(lines[1]))
			require.NoError(t, err)
			v, err := c.decode(key, row)
			require.NoError(t, err)
			says, err := json.MarshalIndent(v, "", " ")
			require.NoError(t, err)
			if *rewrite {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				says := bytes.Join([][]byte{lines[0], lines[1], append(says, '\n')}, []byte("\n"))
				require.NoError(t, os.WriteFile(path, says, 0o644))
				return
			}
			require.Equal(t, string(lines[2]), string(says)+"\n")
		})
	}
}

func TestUnknownFields(t *testing.T) {
	row := (&meta{schema: 1}).encode()
	_, err := decodeMeta(append(slices.Clone(row), 101, 1, 9))
	require.NoError(t, err, "odd: passed over")
	_, err = decodeMeta(append(slices.Clone(row), 100, 1, 9))
	require.ErrorIs(t, err, ErrNewer, "even: refused")
	row[0] = 2
	_, err = decodeMeta(row)
	require.ErrorIs(t, err, ErrNewer)
	_, err = decodeMeta(nil)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestChecksumCoversBucketKeyAndRow(t *testing.T) {
	value := seal(inCoins, []byte("key"), []byte("row"))
	row, err := unseal(inCoins, []byte("key"), value)
	require.NoError(t, err)
	require.Equal(t, "row", string(row))
	for i := range value {
		bad := slices.Clone(value)
		bad[i] ^= 4
		_, err = unseal(inCoins, []byte("key"), bad)
		require.ErrorIs(t, err, ErrDamaged)
	}
	_, err = unseal(inTxs, []byte("key"), value)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = unseal(inCoins, []byte("kez"), value)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = unseal(inCoins, []byte("key"), value[:3])
	require.ErrorIs(t, err, ErrDamaged)
}

// TestFlippedRows: V-63. Behind a checksum that happens to fit, a damaged row is an
// error or another value, and costs no more memory than a few times its length.
func TestFlippedRows(t *testing.T) {
	for i, c := range rowCases {
		key, row := c.encode(c.make(fillerOf(uint64(2000 + i))))
		for bit := range len(row) * 8 {
			if len(row) > 600 && bit%7 > 0 {
				continue
			}
			bad := slices.Clone(row)
			bad[bit/8] ^= 1 << (bit % 8)
			_, _ = c.decode(key, bad)
			_, _ = c.decode(key, bad[:bit/8])
		}
	}
}

func FuzzRows(f *testing.F) {
	for i, c := range rowCases {
		_, row := c.encode(c.make(fillerOf(uint64(3000 + i))))
		f.Add(uint8(i), row)
	}
	f.Fuzz(func(t *testing.T, i uint8, row []byte) {
		n := int(i) % len(rowCases)
		c := rowCases[n]
		key, _ := c.encode(c.make(fillerOf(uint64(3000 + n))))
		v, err := c.decode(key, row)
		if err != nil {
			return
		}
		_, again := c.encode(v)
		w, err := c.decode(key, again)
		if err != nil {
			t.Fatalf("%s: cannot read what it wrote of a row that it read: %v", c.name, err)
		}
		_, third := c.encode(w)
		if !bytes.Equal(again, third) {
			t.Fatalf("%s: not stable", c.name)
		}
	})
}

// A batch that was opened before its number had an even type is one still: its channels
// must not publish what is not signed by all.
func TestBatchOfBefore(t *testing.T) {
	e := enc{b: []byte{1}}
	e.flag(2, true)
	e.num(3, 7)
	f, err := decodeFunding(outPointOf(make([]byte, 36)), e.b)
	require.NoError(t, err)
	require.EqualValues(t, 7, f.Batch)
}
