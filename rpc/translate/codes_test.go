package translate

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet"
)

// TestCoded: what a caller did gets the code of its kind, what went wrong in here none; the words stay.
func TestCoded(t *testing.T) {
	require.NoError(t, Coded(nil))
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{mistake.Argument("a"), codes.InvalidArgument}, {mistake.State("b"), codes.FailedPrecondition}, {mistake.Missing("c"), codes.NotFound},
		{mistake.Twice("d"), codes.AlreadyExists}, {mistake.TooMuch("e"), codes.ResourceExhausted},
		{Mistake("f"), codes.InvalidArgument}, {node.ErrNoChannel, codes.NotFound}, {wallet.ErrNoAccount{Name: "x"}, codes.NotFound},
		{routing.NoHop{Position: 1}, codes.NotFound}, {&wallet.InsufficientFunds{}, codes.FailedPrecondition},
		{Unpaid(&wallet.InsufficientFunds{}), codes.FailedPrecondition}, {&chainntnfs.RejectError{}, codes.FailedPrecondition},
		{status.Error(codes.Canceled, "g"), codes.Canceled}, {io.EOF, codes.Unknown}, {errors.New("h"), codes.Unknown},
	} {
		for _, err := range []error{c.err, fmt.Errorf("more words: %w", c.err)} {
			got := Coded(err)
			require.Equal(t, c.code, status.Code(got), "%v", err)
			require.Contains(t, status.Convert(got).Message(), status.Convert(c.err).Message())
		}
	}
	noRoute := Coded(fmt.Errorf("more words: %w", &routing.NoRoute{Why: "too far"})) // clients compare all of it
	told := status.Convert(noRoute)
	require.Equal(t, []any{codes.NotFound, "unable to find a path to destination"}, []any{told.Code(), told.Message()})
	require.Len(t, told.Details(), 1)
	require.Equal(t, "too far", told.Details()[0].(*wrapperspb.StringValue).GetValue())
	require.ErrorContains(t, noRoute, "more words: unable to find a path to destination: too far")
	require.Equal(t, "insufficient funds available to construct transaction", status.Convert(Coded(Unpaid(&wallet.InsufficientFunds{}))).Message())
}
