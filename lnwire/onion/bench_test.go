package onion

import (
	"fmt"
	"testing"
)

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1, 2, 5, 20} {
		b.Run(fmt.Sprintf("hops=%d", n), func(b *testing.B) {
			_, hops := newRoute(n, 20)
			session, assoc := newKey(0x41).PrivateKey, make([]byte, 32)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Build(session, hops, assoc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPeel(b *testing.B) {
	for _, c := range []struct {
		name string
		hops int
	}{{"forward", 2}, {"final", 1}} {
		b.Run(c.name, func(b *testing.B) {
			keys, hops := newRoute(c.hops, 20)
			packet, _ := mustBuild(b, hops, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, bad := Peel(keys[0], &packet, nil); bad != nil {
					b.Fatal(bad.Code)
				}
			}
		})
	}
}

func BenchmarkEncryptFailure(b *testing.B) {
	secret := secretsOf(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		EncryptFailure(secret, Failure{Code: TemporaryChannelFailure})
	}
}

func BenchmarkWrapFailure(b *testing.B) {
	secret, packet := secretsOf(1)[0], make([]byte, 292)
	b.ReportAllocs()
	for b.Loop() {
		WrapFailure(secret, packet)
	}
}

func BenchmarkDecodeFailure(b *testing.B) {
	secrets := secretsOf(5)
	packet := replyFrom(secrets, 4, EncryptFailure(secrets[4], Failure{Code: MPPTimeout}))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := DecodeFailure(secrets, packet); !ok {
			b.Fatal("not decoded")
		}
	}
}

func BenchmarkDecodePayload(b *testing.B) {
	payload, err := Forward{Amount: 1000, Expiry: 800_000, SCID: 7}.Payload().Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, failure := DecodePayload(payload); failure != nil {
			b.Fatal(failure.Code)
		}
	}
}
