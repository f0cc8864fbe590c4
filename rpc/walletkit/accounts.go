package walletkit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// hardened is the top bit of a step of a path that is written with a tick.
const hardened = 1 << 31

// What extended public keys begin with, by the kind of account that they are for.
const (
	xpub uint32 = 0x0488b21e
	ypub uint32 = 0x049d7cb2
	zpub uint32 = 0x04b24746
	tpub uint32 = 0x043587cf
	upub uint32 = 0x044a5262
	vpub uint32 = 0x045f1cf6
	spub uint32 = 0x0420bd3a // simnet, which has ypub and zpub as mainnet has
)

// versions are those of a network: of plain keys, of BIP 49 and of BIP 84.
func (s *Service) versions() (plain, nested, native uint32) {
	switch s.node.Net().Net {
	case wire.MainNet:
		return xpub, ypub, zpub
	case wire.SimNet:
		return spub, ypub, zpub
	}
	return tpub, upub, vpub
}

// addressTypes are the words for kinds of accounts.
var addressTypes = map[keys.AccountKind]walletrpc.AddressType{
	keys.NestedP2WKH: walletrpc.AddressType_HYBRID_NESTED_WITNESS_PUBKEY_HASH,
	keys.Nested49:    walletrpc.AddressType_NESTED_WITNESS_PUBKEY_HASH,
	keys.P2WKH:       walletrpc.AddressType_WITNESS_PUBKEY_HASH,
	keys.P2TR:        walletrpc.AddressType_TAPROOT_PUBKEY,
}

func (s *Service) account(a *wallet.Account) *walletrpc.Account {
	out := &walletrpc.Account{
		Name: a.Name, AddressType: addressTypes[a.Kind], ExternalKeyCount: a.External, InternalKeyCount: a.Internal, WatchOnly: a.WatchOnly,
	}
	if a.Number == keys.Loose {
		return out
	}
	plain, nested, native := s.versions()
	switch a.Kind {
	case keys.NestedP2WKH, keys.Nested49:
		plain = nested
	case keys.P2WKH:
		plain = native
	case keys.P2TR:
	}
	out.ExtendedPublicKey, out.DerivationPath = a.ID.Text(plain), accountPath(a)
	if a.Master != [4]byte{} {
		out.MasterKeyFingerprint = a.Master[:]
	}
	return out
}

func accountPath(a *wallet.Account) string {
	if a.Number == keys.Loose {
		return ""
	}
	return fmt.Sprintf("m/%d'/0'/%d'", a.Kind.Purpose(), a.ID.Child&^hardened)
}

// nodeFamilies is how many families of the node's keys are listed: as many as lnd has, so
// that a watch-only node of its can be made from the list.
const nodeFamilies = 256

// ListAccounts lists accounts.
func (s *Service) ListAccounts(_ context.Context, req *walletrpc.ListAccountsRequest) (*walletrpc.ListAccountsResponse, error) {
	kind, err := kindOf(req.AddressType)
	if err != nil {
		return nil, err
	}
	any := req.AddressType == walletrpc.AddressType_UNKNOWN
	out := &walletrpc.ListAccountsResponse{}
	for _, a := range s.node.Accounts() {
		if (req.Name == "" || a.Name == req.Name) && (any || a.Kind.Purpose() == kind.Purpose()) {
			out.Accounts = append(out.Accounts, s.account(&a))
		}
	}
	if req.Name != "" && req.Name != wallet.ImportedName && len(out.Accounts) == 0 {
		return nil, wallet.ErrNoAccount{Name: req.Name}
	}
	if req.Name != "" || !any {
		return out, nil
	}
	for f := range uint32(nodeFamilies) {
		id, err := s.node.NodeFamily(f)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("act:%d", f)
		if f == 0 {
			name = wallet.DefaultName
		}
		plain, _, _ := s.versions()
		out.Accounts = append(out.Accounts, &walletrpc.Account{
			Name: name, AddressType: walletrpc.AddressType_WITNESS_PUBKEY_HASH, ExtendedPublicKey: id.Text(plain),
			DerivationPath: fmt.Sprintf("m/1017'/%d'/%d'", s.node.CoinType(), f),
		})
	}
	return out, nil
}

// kindOf reads an address type; that of UNKNOWN means nothing.
func kindOf(t walletrpc.AddressType) (keys.AccountKind, error) {
	switch t {
	case walletrpc.AddressType_UNKNOWN, walletrpc.AddressType_WITNESS_PUBKEY_HASH:
		return keys.P2WKH, nil
	case walletrpc.AddressType_NESTED_WITNESS_PUBKEY_HASH:
		return keys.Nested49, nil
	case walletrpc.AddressType_HYBRID_NESTED_WITNESS_PUBKEY_HASH:
		return keys.NestedP2WKH, nil
	case walletrpc.AddressType_TAPROOT_PUBKEY:
		return keys.P2TR, nil
	}
	return 0, translate.Mistake("unhandled address type %v", t)
}

// ListAddresses lists addresses.
func (s *Service) ListAddresses(_ context.Context, req *walletrpc.ListAddressesRequest) (*walletrpc.ListAddressesResponse, error) {
	if _, err := s.node.AccountNumber(req.AccountName); err != nil {
		return nil, err
	}
	accounts := s.node.Accounts()
	slices.SortStableFunc(accounts, func(a, b wallet.Account) int { return cmp.Compare(a.Kind.Purpose(), b.Kind.Purpose()) })
	out := &walletrpc.ListAddressesResponse{}
	for _, a := range accounts {
		if req.AccountName != "" && a.Name != req.AccountName {
			continue
		}
		given, err := s.node.GivenAddresses(a.AccountID)
		if err != nil {
			return nil, err
		}
		if len(given) == 0 {
			continue
		}
		list := &walletrpc.AccountWithAddresses{Name: a.Name, AddressType: addressTypes[a.Kind], DerivationPath: accountPath(&a)}
		for _, g := range given {
			p := &walletrpc.AddressProperty{
				Address: g.Text, IsInternal: g.Key.Branch == keys.Internal, Balance: int64(g.Balance), PublicKey: g.PubKey[:],
			}
			if a.Number != keys.Loose {
				p.DerivationPath = fmt.Sprintf("%s/%d/%d", list.DerivationPath, g.Key.Branch, g.Key.Index)
			}
			list.Addresses = append(list.Addresses, p)
		}
		out.AccountWithAddresses = append(out.AccountWithAddresses, list)
	}
	return out, nil
}

// NextAddr gives an address.
func (s *Service) NextAddr(_ context.Context, req *walletrpc.AddrRequest) (*walletrpc.AddrResponse, error) {
	kind, err := kindOf(req.Type)
	if err != nil {
		return nil, err
	}
	switch kind {
	case keys.NestedP2WKH:
		return nil, translate.Mistake("invalid address type for next address: %v", req.Type)
	case keys.Nested49:
		kind = keys.NestedP2WKH // what the wallet's own is; another account says itself
	case keys.P2WKH, keys.P2TR:
	}
	id, err := s.node.FindAccount(req.Account, kind)
	if err != nil {
		return nil, err
	}
	a, err := s.node.AccountAddress(id, req.Change, false)
	if err != nil {
		return nil, err
	}
	return &walletrpc.AddrResponse{Addr: a.Text}, nil
}

// dryRunAddresses is how many addresses of each branch a dry run shows.
const dryRunAddresses = 5

// ImportAccount watches an account.
func (s *Service) ImportAccount(_ context.Context, req *walletrpc.ImportAccountRequest) (*walletrpc.ImportAccountResponse, error) {
	id, version, err := keys.ParseXPub(req.ExtendedPublicKey)
	if err != nil {
		return nil, err
	}
	im := wallet.Import{Name: req.Name, ID: id}
	if n := len(req.MasterKeyFingerprint); n == 4 {
		im.Master = [4]byte(req.MasterKeyFingerprint)
	} else if n != 0 {
		return nil, translate.Mistake("invalid length for master key fingerprint, expected 4 bytes in big-endian")
	}
	if im.Kind, err = s.importKind(version, req.AddressType); err != nil {
		return nil, err
	}
	switch {
	case id.Depth != 3:
		return nil, translate.Mistake("invalid account key, must be of the form m/purpose'/coin_type'/account'")
	case id.Child < hardened:
		return nil, translate.Mistake("invalid account key, must be hardened")
	}
	if req.DryRun {
		a, external, internal, err := s.node.TryAccount(im, dryRunAddresses)
		if err != nil {
			return nil, err
		}
		return &walletrpc.ImportAccountResponse{Account: s.account(&a), DryRunExternalAddrs: external, DryRunInternalAddrs: internal}, nil
	}
	born, err := birthday(req.Birthday)
	if err != nil {
		return nil, err
	}
	a, err := s.node.ImportAccount(im, born)
	if err != nil {
		return nil, err
	}
	return &walletrpc.ImportAccountResponse{Account: s.account(&a)}, nil
}

// birthday reads when something was made; the zero time means that nobody said.
func birthday(seconds int64) (time.Time, error) {
	switch {
	case seconds < 0:
		return time.Time{}, translate.Invalid("birthday", "must not be negative")
	case seconds == 0:
		return time.Time{}, nil
	}
	return time.Unix(seconds, 0), nil
}

// importKind is what account a key is for, by its version and the type that is asked for.
func (s *Service) importKind(version uint32, t walletrpc.AddressType) (keys.AccountKind, error) {
	kind, err := kindOf(t)
	if err != nil {
		return 0, err
	}
	plain, nested, native := s.versions()
	asked := t != walletrpc.AddressType_UNKNOWN
	switch version {
	case plain:
		if !asked {
			return 0, translate.Mistake("address type must be specified for account public key with legacy version")
		}
		if kind == keys.NestedP2WKH {
			kind = keys.P2WKH // as lnd takes it
		}
		return kind, nil
	case nested:
		switch {
		case !asked:
			return 0, translate.Mistake("address type must be specified for account public key with BIP-0049 version")
		case kind == keys.P2TR:
			return 0, translate.Mistake("unsupported address type %v", t)
		case kind == keys.P2WKH:
			kind = keys.NestedP2WKH // native change
		}
		return kind, nil
	case native:
		switch {
		case !asked:
			return keys.P2WKH, nil
		case kind == keys.NestedP2WKH:
			return keys.P2WKH, nil
		case kind == keys.Nested49:
			return 0, translate.Mistake("address type mismatch")
		}
		return kind, nil
	}
	return 0, translate.Mistake("expected extended public key for current network %v", s.node.Net().Name)
}

// ImportPublicKey watches a key.
func (s *Service) ImportPublicKey(_ context.Context, req *walletrpc.ImportPublicKeyRequest) (*walletrpc.ImportPublicKeyResponse, error) {
	if req.AddressType == walletrpc.AddressType_UNKNOWN {
		return nil, translate.Mistake("an address type must be specified")
	}
	kind, err := kindOf(req.AddressType)
	if err != nil {
		return nil, err
	}
	var parsed *btcec.PublicKey
	switch kind {
	case keys.P2TR:
		parsed, err = schnorr.ParsePubKey(req.PublicKey)
	case keys.Nested49, keys.NestedP2WKH, keys.P2WKH:
		parsed, err = btcec.ParsePubKey(req.PublicKey)
	}
	if err != nil {
		return nil, translate.Mistake("%w", err)
	}
	switch req.AddressType {
	case walletrpc.AddressType_NESTED_WITNESS_PUBKEY_HASH:
		kind = keys.NestedP2WKH
	case walletrpc.AddressType_HYBRID_NESTED_WITNESS_PUBKEY_HASH:
		kind = keys.P2WKH // as lnd takes it
	}
	born, err := birthday(req.Birthday)
	if err != nil {
		return nil, err
	}
	key := lnwire.NewPubKey(parsed)
	if err := s.node.ImportKey(key, kind, born); err != nil {
		return nil, err
	}
	return &walletrpc.ImportPublicKeyResponse{Status: fmt.Sprintf("public key %x imported", key[:])}, nil
}

// XCreateAccount makes another account of the seed.
func (s *Service) XCreateAccount(_ context.Context, req *walletrpc.XCreateAccountRequest) (*walletrpc.XCreateAccountResponse, error) {
	if !req.IKnowWhatIAmDoing {
		return nil, translate.Mistake("XCreateAccount is experimental: funds in a created account are NOT rediscovered by a seed-only " +
			"restore. Set i_know_what_i_am_doing to proceed, having recorded the account's key scope and index")
	}
	kind, err := kindOf(req.AddressType)
	if err != nil {
		return nil, err
	}
	switch {
	case req.AddressType == walletrpc.AddressType_UNKNOWN:
		kind = keys.P2TR
	case kind == keys.Nested49:
		return nil, translate.Mistake("address type %v cannot be created; use %v, which is what a wallet-derived account of this key scope provides",
			req.AddressType, walletrpc.AddressType_HYBRID_NESTED_WITNESS_PUBKEY_HASH)
	}
	born, err := birthday(req.Birthday)
	if err != nil {
		return nil, err
	}
	a, err := s.node.CreateAccount(req.Name, kind, born)
	if err != nil {
		return nil, err
	}
	return &walletrpc.XCreateAccountResponse{Account: s.account(&a)}, nil
}

// DeriveKey gives the key at a place.
func (s *Service) DeriveKey(_ context.Context, req *signrpc.KeyLocator) (*signrpc.KeyDescriptor, error) {
	if req.KeyFamily < 0 || req.KeyIndex < 0 {
		return nil, translate.Invalid("key_family", "family and index must not be negative")
	}
	at := keys.KeyLoc{Family: uint32(req.KeyFamily), Index: uint32(req.KeyIndex)}
	key, err := s.node.DeriveKey(at)
	if err != nil {
		return nil, err
	}
	return descriptor(at, key), nil
}

// DeriveNextKey gives the next key of a family.
func (s *Service) DeriveNextKey(_ context.Context, req *walletrpc.KeyReq) (*signrpc.KeyDescriptor, error) {
	if req.KeyFamily < 0 {
		return nil, translate.Invalid("key_family", "must not be negative")
	}
	at, key, err := s.node.NextKey(uint32(req.KeyFamily))
	if err != nil {
		return nil, err
	}
	return descriptor(at, key), nil
}

func descriptor(at keys.KeyLoc, key lnwire.PubKey) *signrpc.KeyDescriptor {
	return &signrpc.KeyDescriptor{
		RawKeyBytes: key[:], KeyLoc: &signrpc.KeyLocator{KeyFamily: int32(at.Family), KeyIndex: int32(at.Index)},
	}
}
