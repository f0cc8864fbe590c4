package macaroons

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// idVersion is the first byte of every identifier; what follows is an lnrpc.MacaroonId.
const idVersion = 3

// nonceLen is the length of the nonce that makes macaroons with equal rights differ.
const nonceLen = 16

// An Op is a right: an action on a kind of thing. The entity "uri" grants the single method that the action names.
type Op struct{ Entity, Action string }

// errInvalidID is the text clients know for an identifier of another kind than ours.
var errInvalidID = errors.New("invalid ID")

// encodeID makes an identifier. The rights are sorted, and those on the same entity put together.
func encodeID(nonce [nonceLen]byte, key uint64, ops []Op) ([]byte, error) {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b Op) int {
		return cmp.Or(cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Action, b.Action))
	})
	id := &lnrpc.MacaroonId{Nonce: nonce[:], StorageId: strconv.AppendUint(nil, key, 10)}
	for _, op := range slices.Compact(ops) {
		if n := len(id.Ops); n == 0 || id.Ops[n-1].Entity != op.Entity {
			id.Ops = append(id.Ops, &lnrpc.Op{Entity: op.Entity})
		}
		last := id.Ops[len(id.Ops)-1]
		last.Actions = append(last.Actions, op.Action)
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{idVersion}, id)
}

// decodeID reads an identifier: the number of the root key, as text, and the rights.
func decodeID(raw []byte) (key string, ops []Op, err error) {
	if len(raw) == 0 || raw[0] != idVersion {
		return "", nil, errInvalidID
	}
	var id lnrpc.MacaroonId
	if err := proto.Unmarshal(raw[1:], &id); err != nil {
		return "", nil, fmt.Errorf("cannot retrieve macaroon: cannot unmarshal macaroon id: %w", err)
	}
	for _, op := range id.Ops {
		for _, action := range op.Actions {
			ops = append(ops, Op{Entity: op.Entity, Action: action})
		}
	}
	if len(ops) == 0 {
		return "", nil, errors.New("cannot retrieve macaroon: no operations found in macaroon")
	}
	return string(id.StorageId), ops, nil
}

// parseKey reads the number of a root key in its one canonical form.
func parseKey(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == text
}
