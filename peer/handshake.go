package peer

import (
	"fmt"
	"io"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/peer/noise"
)

// initiate runs the three acts as the side that dialled. An error ends the
// attempt, and nothing more is written. Act three tells the peer who we are: it is
// written if prove has no objection.
//
// B8.eph.1: the ephemeral key is drawn anew from the system's randomness for each
// connection, on either side.
func initiate(rw io.ReadWriter, static noise.ECDH, remote *btcec.PublicKey, prove func() error) (*noise.Session, error) {
	ephemeral, err := btcec.NewPrivateKey()
	if err != nil {
		return nil, fmt.Errorf("draw ephemeral key: %w", err)
	}
	shake := noise.NewInitiator(static, remote, ephemeral)
	one, err := shake.ActOne()
	if err != nil {
		return nil, err
	}
	if _, err := rw.Write(one); err != nil {
		return nil, fmt.Errorf("send act one: %w", err)
	}
	two := make([]byte, noise.ActTwoLen)
	if _, err := io.ReadFull(rw, two); err != nil {
		return nil, fmt.Errorf("receive act two: %w", err)
	}
	three, session, err := shake.ActTwo(two)
	if err != nil {
		return nil, err
	}
	if err := prove(); err != nil {
		return nil, err
	}
	if _, err := rw.Write(three); err != nil {
		return nil, fmt.Errorf("send act three: %w", err)
	}
	return session, nil
}

// respond runs the three acts as the side that was dialled. What costs something is done
// by compute, which may take its time.
func respond(rw io.ReadWriter, static noise.ECDH, compute func(func()) error) (session *noise.Session, bad error) {
	ephemeral, err := btcec.NewPrivateKey()
	if err != nil {
		return nil, fmt.Errorf("draw ephemeral key: %w", err)
	}
	shake := noise.NewResponder(static, ephemeral)
	one := make([]byte, noise.ActOneLen)
	if _, err := io.ReadFull(rw, one); err != nil {
		return nil, fmt.Errorf("receive act one: %w", err)
	}
	var two []byte
	if err := compute(func() { two, bad = shake.ActOne(one) }); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	if _, err := rw.Write(two); err != nil {
		return nil, fmt.Errorf("send act two: %w", err)
	}
	three := make([]byte, noise.ActThreeLen)
	if _, err := io.ReadFull(rw, three); err != nil {
		return nil, fmt.Errorf("receive act three: %w", err)
	}
	if err := compute(func() { session, bad = shake.ActThree(three) }); err != nil {
		return nil, err
	}
	return session, bad
}
