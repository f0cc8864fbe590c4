package macaroons

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fulgur-ln/fulgur/rpc/atomicfile"
)

// ReadOnly is the set of rights in readonly.macaroon.
var ReadOnly = []Op{
	{"onchain", "read"},
	{"offchain", "read"},
	{"address", "read"},
	{"message", "read"},
	{"peers", "read"},
	{"info", "read"},
	{"invoices", "read"},
	{"signer", "read"},
	{"macaroon", "read"},
}

// Admin is the set of rights in admin.macaroon: everything.
var Admin = append(slices.Clone(ReadOnly), []Op{
	{"onchain", "write"},
	{"offchain", "write"},
	{"address", "write"},
	{"message", "write"},
	{"peers", "write"},
	{"info", "write"},
	{"invoices", "write"},
	{"signer", "generate"},
	{"macaroon", "generate"},
	{"macaroon", "write"},
	{"remotesigner", "generate"},
}...)

// Invoice is the set of rights in invoice.macaroon: to ask for payment and see it come.
var Invoice = []Op{
	{"invoices", "read"},
	{"invoices", "write"},
	{"address", "read"},
	{"address", "write"},
	{"onchain", "read"},
}

// A File is a macaroon that lies on the disk of the node for local programs.
type File struct {
	Path string
	Ops  []Op
}

// Files lists the macaroon files of a node that keeps them in dir, under the names that client libraries look for: the
// three general ones, and one for each service that some libraries open separately.
func Files(dir string) []File {
	file := func(name string, ops []Op) File { return File{filepath.Join(dir, name+".macaroon"), ops} }
	return []File{
		file("admin", Admin),
		file("readonly", ReadOnly),
		file("invoice", Invoice),
		file("invoices", []Op{{"invoices", "read"}, {"invoices", "write"}}),
		file("router", []Op{{"offchain", "read"}, {"offchain", "write"}}),
		file("walletkit", []Op{{"address", "read"}, {"address", "write"}, {"onchain", "read"}, {"onchain", "write"}}),
		file("signer", []Op{{"signer", "generate"}, {"signer", "read"}}),
		file("chainnotifier", []Op{{"onchain", "read"}}),
	}
}

// WriteMissing bakes those files that do not exist, readable by the owner only. Existing ones stay as they are: a user
// may have replaced one by a narrower macaroon.
func (b *Bakery) WriteMissing(files []File) error {
	for _, f := range files {
		_, err := os.Stat(f.Path)
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("look for macaroon file: %w", err)
		}
		raw, err := b.Bake(DefaultKey, f.Ops)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(f.Path, raw, 0o600); err != nil {
			return fmt.Errorf("write macaroon file: %w", err)
		}
	}
	return nil
}
