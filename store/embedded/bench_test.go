package embedded

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// BenchmarkPutToken measures what issuing costs this store with 64 callers.
func BenchmarkPutToken(b *testing.B) {
	clock := storetest.NewClock()
	s := open(b, b.TempDir(), clock)
	token := testToken(clock.Now(), time.Hour)
	var n atomic.Uint64
	b.SetParallelism(32) // × GOMAXPROCS, 2 on the reference machine
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.PutToken(b.Context(), testDigest(n.Add(1)), token); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkGetToken(b *testing.B) {
	const stored = 10_000
	clock := storetest.NewClock()
	s := open(b, b.TempDir(), clock)
	putMany(b, s, stored, clock.Now())
	var n atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.GetToken(b.Context(), testDigest(n.Add(1)%stored)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkOpen measures the time to build the index.
func BenchmarkOpen(b *testing.B) {
	for _, stored := range []int{200_000} {
		b.Run(fmt.Sprint(stored), func(b *testing.B) {
			clock, folder := storetest.NewClock(), b.TempDir()
			s := open(b, folder, clock)
			putMany(b, s, stored, clock.Now())
			closeStore(b, s)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				s, err := Open(Options{Path: folder, Now: clock.Now, Elapsed: clock.Elapsed})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				closeStore(b, s)
				b.StartTimer()
			}
		})
	}
}

// putMany stores n tokens with lives from one hour to four.
func putMany(tb testing.TB, s *Store, n int, now time.Time) {
	tb.Helper()
	const writers = 512
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := w; i < n; i += writers {
				life := time.Duration(1+i%4) * time.Hour
				if err := s.PutToken(tb.Context(), testDigest(uint64(i)), testToken(now, life)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			tb.Fatal(err)
		}
	}
}

// testDigest returns a digest whose front differs as those of tokens do.
func testDigest(n uint64) store.Digest {
	var d store.Digest
	binary.LittleEndian.PutUint64(d[:], n*0x9e3779b97f4a7c15)
	return d
}

// testToken returns a token as most clients get it.
func testToken(now time.Time, life time.Duration) store.Token {
	now = now.UTC().Truncate(time.Second)
	return store.Token{
		Use:       store.UseClient,
		ClientID:  "gc_0123456789abcdefghijkl",
		SecretID:  "Ab3dEf7h",
		Scopes:    "users:read users:write",
		IssuedAt:  now,
		ExpiresAt: now.Add(life),
		Position:  store.Position{Seq: 7},
	}
}
