package macaroons

import (
	"context"
	"encoding/hex"

	"google.golang.org/grpc/credentials"
)

// Credential sends a macaroon in binary form with every call of a gRPC client. It is never sent over a connection
// without TLS.
func Credential(raw []byte) credentials.PerRPCCredentials {
	return credential{hex.EncodeToString(raw)}
}

type credential struct{ text string }

func (c credential) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"macaroon": c.text}, nil
}

func (credential) RequireTransportSecurity() bool { return true }
