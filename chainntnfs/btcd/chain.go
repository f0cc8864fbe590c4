package btcd

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// btcd's codes, as far as they mean something to us.
const (
	codeOutOfRange = -1
	codeNotFound   = -5
	codeInChain    = -27
)

// coded says that btcd refused with that code.
func coded(err error, code int) bool {
	var no *rpcError
	return errors.As(err, &no) && no.Code == code
}

// Tip is btcd's best block now.
func (b *Backend) Tip(ctx context.Context) (lnwire.BlockRef, error) { return bestBlock(ctx, b.call) }

func bestBlock(ctx context.Context, call caller) (lnwire.BlockRef, error) {
	var best struct {
		Hash   string `json:"hash"`
		Height uint32 `json:"height"`
	}
	if err := call(ctx, &best, "getbestblock"); err != nil {
		return lnwire.BlockRef{}, err
	}
	hash, err := parseHash(best.Hash)
	return lnwire.BlockRef{Height: lnwire.Height(best.Height), Hash: hash}, err
}

// BlockHash is the main chain's block at a height.
func (b *Backend) BlockHash(ctx context.Context, height lnwire.Height) (chainhash.Hash, error) {
	var text string
	err := b.call(ctx, &text, "getblockhash", height)
	if coded(err, codeOutOfRange) {
		return chainhash.Hash{}, fmt.Errorf("block at height %d: %w", height, chainntnfs.ErrNoBlock)
	}
	if err != nil {
		return chainhash.Hash{}, err
	}
	return parseHash(text)
}

// Header is the header of any block that btcd knows.
func (b *Backend) Header(ctx context.Context, hash chainhash.Hash) (*wire.BlockHeader, error) {
	return blockHeader(ctx, b.call, hash)
}

func blockHeader(ctx context.Context, call caller, hash chainhash.Hash) (*wire.BlockHeader, error) {
	var text string
	err := call(ctx, &text, "getblockheader", hash.String(), false)
	if coded(err, codeNotFound) {
		return nil, fmt.Errorf("block %v: %w", hash, chainntnfs.ErrNoBlock)
	}
	if err != nil {
		return nil, err
	}
	header := new(wire.BlockHeader)
	if err := decodeHex(text, header.Deserialize); err != nil {
		return nil, fmt.Errorf("header of block %v: %w", hash, err)
	}
	return header, nil
}

// Block is any block that btcd knows, whole.
func (b *Backend) Block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	var text string
	err := b.call(ctx, &text, "getblock", hash.String(), 0)
	if coded(err, codeNotFound) {
		return nil, fmt.Errorf("block %v: %w", hash, chainntnfs.ErrNoBlock)
	}
	if err != nil {
		return nil, err
	}
	block := new(wire.MsgBlock)
	if err := decodeHex(text, block.Deserialize); err != nil {
		return nil, fmt.Errorf("block %v: %w", hash, err)
	}
	if got := block.BlockHash(); got != hash {
		return nil, fmt.Errorf("block %v: btcd answered block %v", hash, got)
	}
	return block, nil
}

// Txid is the transaction at an index of the main chain's block at a height.
func (b *Backend) Txid(ctx context.Context, height lnwire.Height, index uint32) (chainhash.Hash, error) {
	hash, err := b.BlockHash(ctx, height)
	if err != nil {
		return chainhash.Hash{}, err
	}
	ids, err := b.txids.of(hash).get(ctx, b.call)
	if refused(err) { // pruned, or it has just left the main chain
		return chainhash.Hash{}, fmt.Errorf("block at height %d: %w: %w", height, chainntnfs.ErrNoBlock, err)
	}
	if err != nil {
		return chainhash.Hash{}, err
	}
	if int64(index) >= int64(len(ids)) {
		return chainhash.Hash{}, fmt.Errorf("transaction %d of %d in block %d: %w",
			index, len(ids), height, chainntnfs.ErrNoOutput)
	}
	return ids[index], nil
}

// TxOut is an unspent output of the chain.
func (b *Backend) TxOut(ctx context.Context, op wire.OutPoint) (chainntnfs.TxOut, error) {
	var answer *struct {
		BestBlock     string      `json:"bestblock"`
		Confirmations uint32      `json:"confirmations"`
		Value         json.Number `json:"value"`
		ScriptPubKey  struct {
			Hex string `json:"hex"`
		} `json:"scriptPubKey"`
		Coinbase bool `json:"coinbase"`
	}
	err := b.call(ctx, &answer, "gettxout", op.Hash.String(), op.Index, false)
	if coded(err, codeNotFound) || err == nil && answer == nil {
		return chainntnfs.TxOut{}, fmt.Errorf("output %v: %w", op, chainntnfs.ErrNoOutput)
	}
	if err != nil {
		return chainntnfs.TxOut{}, err
	}
	out := chainntnfs.TxOut{Confirmations: answer.Confirmations, Coinbase: answer.Coinbase}
	if out.Value, err = parseBTC(answer.Value.String()); err != nil {
		return chainntnfs.TxOut{}, fmt.Errorf("output %v: %w", op, err)
	}
	if out.PkScript, err = hex.DecodeString(answer.ScriptPubKey.Hex); err != nil {
		return chainntnfs.TxOut{}, fmt.Errorf("output %v: %w", op, err)
	}
	height, err := b.heightOf(ctx, answer.BestBlock)
	if err != nil {
		return chainntnfs.TxOut{}, err
	}
	if out.Confirmations == 0 || lnwire.Height(out.Confirmations) > height+1 {
		return chainntnfs.TxOut{}, fmt.Errorf("output %v: %d confirmations at height %d", op, out.Confirmations, height)
	}
	out.Height = height + 1 - lnwire.Height(out.Confirmations)
	return out, nil
}

// heightOf is the height of a block that was the best one a moment ago.
func (b *Backend) heightOf(ctx context.Context, hash string) (lnwire.Height, error) {
	if state, _ := b.status.Get(); state.Tip.Hash.String() == hash {
		return state.Tip.Height, nil
	}
	var header struct {
		Height uint32 `json:"height"`
	}
	err := b.call(ctx, &header, "getblockheader", hash, true)
	return lnwire.Height(header.Height), err
}

// parseBTC reads an amount such as 0.00012345 without rounding.
func parseBTC(text string) (lnwire.Sat, error) {
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	shift := 8 - len(fraction)
	if scientific {
		e, err := strconv.Atoi(exponent)
		if err != nil || e < -16 || e > 16 {
			return 0, fmt.Errorf("amount %q: bad exponent", text)
		}
		shift += e
	}
	digits := whole + fraction
	if shift >= 0 {
		digits += strings.Repeat("0", min(shift, 32))
	} else {
		cut := max(len(digits)+shift, 0)
		if strings.Trim(digits[cut:], "0") != "" {
			return 0, fmt.Errorf("amount %q: finer than a satoshi", text)
		}
		digits = digits[:cut]
	}
	if whole == "" || strings.Contains(mantissa, "+") {
		return 0, fmt.Errorf("amount %q: no number", text)
	}
	if digits == "" { // everything was cut off
		digits = "0"
	}
	sat, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || lnwire.Sat(sat) > lnwire.MaxSat {
		return 0, fmt.Errorf("amount %q: no amount of bitcoin", text)
	}
	return lnwire.Sat(sat), nil
}

// decodeHex reads the whole of a hex text, and nothing may be left over.
func decodeHex(text string, read func(io.Reader) error) error {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	r := bytes.NewReader(raw)
	if err := read(r); err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes too many", r.Len())
	}
	return nil
}
