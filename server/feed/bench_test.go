package feed

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// digestOf returns a digest that differs for each i, spread like a hash.
func digestOf(i int) store.Digest {
	var d store.Digest
	for word := range 4 {
		x := (uint64(i)*4 + uint64(word) + 1) * 0x9e3779b97f4a7c15
		x ^= x >> 29
		x *= 0xbf58476d1ce4e5b9
		binary.BigEndian.PutUint64(d[word*8:], x^x>>32)
	}
	return d
}

// BenchmarkVoided measures the verdict about a token of a client that is not
// void, in a feed with 100,000 revocations that expire in one hour, or over a day.
func BenchmarkVoided(b *testing.B) {
	for name, hours := range map[string]int{"hour": 1, "day": 24} {
		b.Run(name, func(b *testing.B) { benchmarkVoided(b, hours) })
	}
}

func benchmarkVoided(b *testing.B, hours int) {
	f := New(options(newMemory()))
	now := time.Now()
	for i := range 100_000 {
		f.apply([]store.Entry{at(uint64(i+1), store.Entry{
			Kind: store.EntryVoid, Key: store.PrincipalToken(digestOf(i)), At: now, Until: now.Add(time.Duration(1+i%hours) * time.Hour),
		})})
	}
	token := store.Token{Use: store.UseClient, ClientID: "billing", SecretID: "k3v9Qx2a", OrgID: "acme", Position: f.Position()}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, void := f.Voided(digestOf(1_000_000+i&1023), &token); void {
			b.Fatal("void")
		}
		i++
	}
}
