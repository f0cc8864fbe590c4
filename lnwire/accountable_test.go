package lnwire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Both numbers are read as they come, each is said under its own, and the other records of the
// message stay.
func TestAccountability(t *testing.T) {
	for want, extra := range map[Accountability][]ExtraTLVs{
		0: {nil, {{Type: 106823, Value: []byte{0}}}, {{Type: 106823}}, {{Type: 106823, Value: []byte{3}}}, {{Type: 3, Value: []byte{7}}}},
		AccountableDraft: {{{Type: 1}}, {{Type: 1, Value: []byte{9}}, {Type: 106823, Value: []byte{1}}},
			{{Type: 1}, {Type: 5, Value: []byte{1}}}},
		AccountableTrial:                    {{{Type: 106823, Value: []byte{7}}}, {{Type: 106823, Value: []byte{7, 1}}}},
		AccountableDraft | AccountableTrial: {{{Type: 1}, {Type: 106823, Value: []byte{7}}}},
	} {
		for _, e := range extra {
			require.Equal(t, want, (&UpdateAddHTLC{Extra: e}).Accountable(), "%v", e)
		}
		b, err := Marshal(&UpdateAddHTLC{Extra: want.Records()})
		require.NoError(t, err)
		m, err := Unmarshal(b)
		require.NoError(t, err)
		require.Equal(t, want, m.(*UpdateAddHTLC).Accountable())
		value := byte(0)
		if want&AccountableTrial != 0 {
			value = 7
		}
		last := want.Records()[len(want.Records())-1]
		require.Equal(t, TLV{Type: 106823, Value: []byte{value}}, last, "there with and without the signal")
	}
}
