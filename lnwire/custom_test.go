package lnwire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Records of applications are told from those of the protocol, and are not kept beyond a bound.
func TestCustomRecords(t *testing.T) {
	m := &UpdateAddHTLC{Extra: ExtraTLVs{
		{Type: 3, Value: []byte{1}}, {Type: 65537, Value: []byte{2}}, {Type: 106823, Value: []byte{7}}, {Type: 106825},
	}}
	require.Equal(t, ExtraTLVs{{Type: 65537, Value: []byte{2}}, {Type: 106825, Value: []byte{}}}, m.Custom())
	m.Extra = append(m.Extra, TLV{Type: 106827, Value: make([]byte, 4096)})
	require.Empty(t, m.Custom())
}

func TestWith(t *testing.T) {
	some := ExtraTLVs{{Type: 1}, {Type: 5, Value: []byte{1}}}
	require.Equal(t, some, some.With(nil))
	require.Equal(t, ExtraTLVs{{Type: 1}, {Type: 3}, {Type: 5, Value: []byte{2}}}, some.With(ExtraTLVs{{Type: 3}, {Type: 5, Value: []byte{2}}}))
	require.Equal(t, []byte{1}, some[1].Value, "it is not changed itself")
}
