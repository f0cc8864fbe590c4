package walletkit

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Node is what the service needs of the node; node.Node is one.
type Node interface {
	Coins
	Accounts
	Packets

	EstimateFee(target uint32) (lnwire.SatPerKW, error)
	Net() *chaincfg.Params
	Tip() lnwire.BlockRef
	Sweeps() []wallet.PendingSweep
	BumpFee(op wire.OutPoint, req node.BumpRequest) (known bool, err error)
	BumpForceClose(ctx context.Context, funding wire.OutPoint, req node.BumpRequest) error
}

// Coins are the wallet's coins and transactions.
type Coins interface {
	Unspent(minConfs, maxConfs uint32, numbers ...uint32) []wallet.Unspent
	LeaseCoin(op wire.OutPoint, id [32]byte, d time.Duration) (until time.Time, err error)
	ReleaseCoin(op wire.OutPoint, id [32]byte) error
	Leases() []node.Lease
	Reserve(more int) int64
	Txs(from, to lnwire.Height, unconfirmed bool) []wallet.TxRow
	Tx(txid chainhash.Hash) (wallet.TxRow, bool)
	OwnScript(script []byte) bool
	LabelTx(txid chainhash.Hash, label string, overwrite bool) error
	RemoveTx(txid chainhash.Hash) error
	PublishTx(ctx context.Context, tx *wire.MsgTx, label string) error
	SendCoins(req node.SendRequest) (*wire.MsgTx, error)
}

// Accounts are the wallet's accounts, addresses and keys.
type Accounts interface {
	Accounts() []wallet.Account
	AccountNumber(name string) (uint32, error)
	FindAccount(name string, kind keys.AccountKind) (wallet.AccountID, error)
	AccountAddress(id wallet.AccountID, change, unused bool) (wallet.Address, error)
	GivenAddresses(id wallet.AccountID) ([]wallet.AddressBalance, error)
	TryAccount(im wallet.Import, addresses uint32) (a wallet.Account, external, internal []string, err error)
	ImportAccount(im wallet.Import, born time.Time) (wallet.Account, error)
	ImportKey(key lnwire.PubKey, kind keys.AccountKind, born time.Time) error
	ImportOutput(key lnwire.PubKey, born time.Time) error
	CreateAccount(name string, kind keys.AccountKind, born time.Time) (wallet.Account, error)
	NodeFamily(family uint32) (keys.XPub, error)
	CoinType() keys.Coin
	DeriveKey(at keys.KeyLoc) (lnwire.PubKey, error)
	NextKey(family uint32) (keys.KeyLoc, lnwire.PubKey, error)
	OwnerOf(script []byte) (keys.CoinLoc, bool)
	AddressKey(at keys.CoinLoc) (*keys.Key, error)
}

// Packets are partially signed transactions.
type Packets interface {
	FundPsbt(req node.PsbtRequest) (wallet.PsbtFunded, error)
	SignPsbt(p *psbt.Packet) ([]uint32, error)
	FinalizePsbt(p *psbt.Packet) (*wire.MsgTx, error)
}

var _ Node = (*node.Node)(nil)
