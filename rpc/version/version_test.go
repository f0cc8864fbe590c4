package version

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/verrpc"
)

func TestVersion(t *testing.T) {
	s, err := New("0.21.0-beta fulgur=0.1.0", "", "walletrpc", "routerrpc")
	require.NoError(t, err)
	v, err := s.GetVersion(t.Context(), &verrpc.VersionRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 21, v.AppMinor)
	require.Equal(t, "beta", v.AppPreRelease)
	require.Empty(t, v.CommitHash)
	require.Equal(t, []string{"walletrpc", "routerrpc"}, v.BuildTags)
	for _, text := range []string{"", "0.21", "a.b.c"} {
		_, err := New(text, "")
		require.Error(t, err)
	}
}
