package lightning

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Tokens makes, checks and voids macaroons. macaroons.Bakery is one.
type Tokens interface {
	Bake(key uint64, ops []macaroons.Op) ([]byte, error)
	Verify(raw []byte, client netip.Addr) (macaroons.Token, error)
	Keys() ([]uint64, error)
	Revoke(key uint64) (bool, error)
}

// Rights that a macaroon can carry. Clients read the lists in the texts of refusals.
var (
	actions  = []string{"read", "write", "generate"}
	entities = []string{
		"onchain", "offchain", "address", "message", "remotesigner", "peers", "info", "invoices", "signer", "macaroon", entityURI,
	}
)

// entityURI grants a single method.
const entityURI = "uri"

var errNoTokens = mistake.State("macaroon authentication disabled, remove --no-macaroons flag to enable")

// BakeMacaroon makes a macaroon.
func (s *Service) BakeMacaroon(_ context.Context, req *lnrpc.BakeMacaroonRequest) (*lnrpc.BakeMacaroonResponse, error) {
	if s.cfg.Tokens == nil {
		return nil, errNoTokens
	}
	if len(req.Permissions) == 0 {
		return nil, translate.Mistake("permission list cannot be empty. specify at least one action/entity pair. %s", supported())
	}
	var ops []macaroons.Op
	for _, p := range req.Permissions {
		if !req.AllowExternalPermissions {
			if err := s.known(p); err != nil {
				return nil, err
			}
		}
		ops = append(ops, macaroons.Op{Entity: p.GetEntity(), Action: p.GetAction()})
	}
	raw, err := s.cfg.Tokens.Bake(req.RootKeyId, ops)
	if err != nil {
		return nil, err
	}
	return &lnrpc.BakeMacaroonResponse{Macaroon: hex.EncodeToString(raw)}, nil
}

// known says what is wrong with a right; nil if some method needs such a one.
func (s *Service) known(p *lnrpc.MacaroonPermission) error {
	switch {
	case !slices.Contains(entities, p.GetEntity()):
		return translate.Mistake("invalid permission entity. %s", supported())
	case p.Entity == entityURI:
		if _, ok := s.cfg.Permissions[p.Action]; !ok {
			return translate.Mistake("invalid permission action, must be an existing URI in the format /package.Service/MethodName")
		}
	case !slices.Contains(actions, p.Action):
		return translate.Mistake("invalid permission action. %s", supported())
	}
	return nil
}

func supported() string {
	return fmt.Sprintf("supported actions are %v, supported entities are %v", actions, entities)
}

// ListMacaroonIDs lists the root keys.
func (s *Service) ListMacaroonIDs(context.Context, *lnrpc.ListMacaroonIDsRequest) (*lnrpc.ListMacaroonIDsResponse, error) {
	if s.cfg.Tokens == nil {
		return nil, errNoTokens
	}
	ids, err := s.cfg.Tokens.Keys()
	if err != nil {
		return nil, err
	}
	return &lnrpc.ListMacaroonIDsResponse{RootKeyIds: ids}, nil
}

// DeleteMacaroonID voids the macaroons of a root key.
func (s *Service) DeleteMacaroonID(_ context.Context, req *lnrpc.DeleteMacaroonIDRequest) (*lnrpc.DeleteMacaroonIDResponse, error) {
	if s.cfg.Tokens == nil {
		return nil, errNoTokens
	}
	deleted, err := s.cfg.Tokens.Revoke(req.RootKeyId)
	if err != nil {
		return nil, err
	}
	return &lnrpc.DeleteMacaroonIDResponse{Deleted: deleted}, nil
}

// ListPermissions tells what each method needs.
func (s *Service) ListPermissions(context.Context, *lnrpc.ListPermissionsRequest) (*lnrpc.ListPermissionsResponse, error) {
	out := &lnrpc.ListPermissionsResponse{MethodPermissions: map[string]*lnrpc.MacaroonPermissionList{}}
	for method, needs := range s.cfg.Permissions {
		list := &lnrpc.MacaroonPermissionList{}
		for _, op := range needs {
			list.Permissions = append(list.Permissions, &lnrpc.MacaroonPermission{Entity: op.Entity, Action: op.Action})
		}
		out.MethodPermissions[method] = list
	}
	return out, nil
}

// CheckMacaroonPermissions checks a macaroon as if the caller had called with it.
func (s *Service) CheckMacaroonPermissions(ctx context.Context, req *lnrpc.CheckMacPermRequest) (*lnrpc.CheckMacPermResponse, error) {
	switch {
	case s.cfg.Tokens == nil:
		return nil, errNoTokens
	case len(req.Permissions) > 0 && req.CheckDefaultPermsFromFullMethod:
		return nil, translate.Mistake("cannot check default permissions from full method and from provided permission list at the same time")
	case req.FullMethod == "" && req.CheckDefaultPermsFromFullMethod:
		return nil, translate.Mistake("cannot check default permissions from full method without providing the full method name")
	}
	var needs []macaroons.Op
	for _, p := range req.Permissions {
		needs = append(needs, macaroons.Op{Entity: p.GetEntity(), Action: p.GetAction()})
	}
	if req.CheckDefaultPermsFromFullMethod {
		var ok bool
		if needs, ok = s.cfg.Permissions[req.FullMethod]; !ok {
			return nil, translate.Mistake("no permissions found for full method %s", req.FullMethod)
		}
	}
	caller, _ := macaroons.FromContext(ctx)
	token, err := s.cfg.Tokens.Verify(req.Macaroon, caller.Client)
	if err == nil && !token.Holds(needs) {
		err = token.Allows(req.FullMethod, nil) // the right on the very method
	}
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &lnrpc.CheckMacPermResponse{Valid: true}, nil
}

// RegisterRPCMiddleware makes the caller a middleware.
func (s *Service) RegisterRPCMiddleware(stream lnrpc.Lightning_RegisterRPCMiddlewareServer) error {
	return s.cfg.Middleware(stream)
}
