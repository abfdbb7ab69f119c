package redisstore_test

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// BenchmarkTokenMemory measures the memory that Redis needs for an ordinary
// token, over 100,000 of them (the cost of a key jumps when the table doubles).
// The goal is 280 B.
func BenchmarkTokenMemory(b *testing.B) {
	const tokens, writers = 100_000, 16
	server := redistest.Start(b)
	s, r := open(b, server.Addr), raw(b, server.Addr)
	used := func() float64 {
		n, _ := strconv.ParseFloat(infoOf(b.Context(), r, "memory")["used_memory"], 64)
		return n
	}
	token := ordinary(time.Now())
	for b.Loop() {
		r.FlushAll(b.Context())
		before := used()
		errs := make(chan error, writers)
		for w := range writers {
			go func() {
				for i := w; i < tokens; i += writers {
					d := store.Digest(sha256.Sum256(binary.AppendUvarint(nil, uint64(i))))
					if err := s.PutToken(b.Context(), d, token); err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
		for range writers {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric((used()-before)/tokens, "redis-B/token")
	}
	b.ReportMetric(float64(len(store.AppendToken(nil, &token))), "record-B")
}
