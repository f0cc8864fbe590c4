// Package noise is BOLT 8 as a pure codec: the three acts of the Noise_XK
// handshake and the encrypted frames that follow it, bytes in and bytes out.
//
// It owns the handshake digest, the session keys, their nonces and their
// rotation. It must never know a socket, a clock, a source of randomness or what
// a message means: the caller passes the ephemeral key in, reads exactly as many
// bytes as the lengths here say, and drops the connection upon any error.
//
//	i := noise.NewInitiator(nodeKey, remote, ephemeral)
//	one, err := i.ActOne()                // send these 50 bytes
//	three, session, err := i.ActTwo(two)  // two: 50 bytes read; send three
//
//	frame, err = session.Sealer.Append(frame[:0], message)
//
//	n, err := session.Opener.Length(header) // 18 bytes read
//	plain, err := session.Opener.Open(body) // n + 16 bytes read, opened in place
//
// An Initiator, a Responder, a Sealer or an Opener serves one goroutine; the two
// halves of a session are independent of each other.
package noise
