package lnwire

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

func benchmarkUnmarshal(b *testing.B, m Message) {
	raw, err := Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Unmarshal(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkMarshal(b *testing.B, m Message) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Marshal(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalUpdateAddHTLC(b *testing.B) { benchmarkUnmarshal(b, &UpdateAddHTLC{}) }

func BenchmarkUnmarshalCommitmentSigned483(b *testing.B) {
	benchmarkUnmarshal(b, &CommitmentSigned{HTLCSigs: make([]Sig, 483)})
}

func BenchmarkUnmarshalChannelUpdate(b *testing.B) { benchmarkUnmarshal(b, &ChannelUpdate{}) }

func BenchmarkUnmarshalReplyChannelRange(b *testing.B) {
	benchmarkUnmarshal(b, &ReplyChannelRange{SCIDs: manyIDs(8000)})
}

func BenchmarkMarshalUpdateAddHTLC(b *testing.B) { benchmarkMarshal(b, &UpdateAddHTLC{}) }

func BenchmarkMarshalCommitmentSigned483(b *testing.B) {
	benchmarkMarshal(b, &CommitmentSigned{HTLCSigs: make([]Sig, 483)})
}

func BenchmarkMarshalChannelReady(b *testing.B) {
	alias := ShortChannelID(1)
	benchmarkMarshal(b, &ChannelReady{Alias: &alias})
}

func BenchmarkVerifyChannelUpdate(b *testing.B) {
	k, pub := signer(1)
	m := &ChannelUpdate{Timestamp: 1}
	digest := m.SignedDigest()
	m.Sig = NewSig(ecdsa.Sign(k, digest[:]))
	b.ReportAllocs()
	for b.Loop() {
		if !VerifySig(m.SignedDigest(), pub, m.Sig) {
			b.Fatal("refused")
		}
	}
}
