package lnwire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The record of bLIP 18 goes with the update that it is part of, and what cannot be read
// asks for nothing.
func TestInboundFeeOfAnUpdate(t *testing.T) {
	u := &ChannelUpdate{MessageFlags: UpdateMustBeOne, FeePPM: 5}
	require.True(t, u.InboundFee().IsZero())
	plain := u.Checksum()
	u.SetInboundFee(InboundFee{Base: -1, PPM: -2000})
	require.Equal(t, []byte{0xfd, 0xd9, 0x03, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf8, 0x30}, u.Extra)
	require.NotEqual(t, plain, u.Checksum(), "it is part of what is said")
	b, err := Marshal(u)
	require.NoError(t, err)
	m, err := Unmarshal(b)
	require.NoError(t, err)
	require.Equal(t, InboundFee{Base: -1, PPM: -2000}, m.(*ChannelUpdate).InboundFee())
	u.SetInboundFee(InboundFee{})
	require.Nil(t, u.Extra)
	for _, extra := range [][]byte{{1}, {0xfd, 0xd9, 0x03, 7, 1, 1, 1, 1, 1, 1, 1}, {0xfd, 0xd9, 0x03, 9}} {
		u.Extra = extra
		require.True(t, u.InboundFee().IsZero())
	}
}
