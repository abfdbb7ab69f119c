package redisstore_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// trips counts round trips and the commands that they carried.
type trips struct {
	mu             sync.Mutex
	count, carried int
}

func (n *trips) add(commands int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	n.carried += commands
}

func (n *trips) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count, n.carried = 0, 0
}

func (n *trips) get() (count, carried int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count, n.carried
}

func named(i int) store.Digest { return store.Digest{byte(i), byte(i >> 8), 1} }

// callers is how many goroutines use the store at once, for each core.
const callers = 16

// cpu returns the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// runParallel calls do from many goroutines, and reports the CPU time of each
// call. A shared machine disturbs that less than the elapsed time.
func runParallel(b *testing.B, do func(ctx context.Context, i int) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(callers)
	var n atomic.Int64
	began := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(context.Background(), int(n.Add(1)&0xffff)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkTokens compares the store with a plain client. It shows how many
// commands share a round trip, and what that saves.
func BenchmarkTokens(b *testing.B) {
	server := redistest.Start(b)
	var n trips
	s := open(b, server.Addr, func(o *redisstore.Options) { o.OnTrip = n.add })
	plain := raw(b, server.Addr)
	token := ordinary(time.Now())
	for i := range 1 << 16 {
		if err := s.PutToken(b.Context(), named(i), token); err != nil {
			b.Fatal(err)
		}
	}
	measure := func(name string, do func(ctx context.Context, i int) error) {
		b.Run(name, func(b *testing.B) {
			n.reset()
			runParallel(b, do)
			if count, carried := n.get(); count > 0 {
				b.ReportMetric(float64(carried)/float64(count), "commands/trip")
			}
		})
	}
	measure("put", func(ctx context.Context, i int) error { return s.PutToken(ctx, named(i), token) })
	measure("put-plain", func(ctx context.Context, i int) error {
		d := named(i)
		return plain.Set(ctx, "plain:"+string(d[:]), make([]byte, 74), time.Hour).Err()
	})
	measure("get", func(ctx context.Context, i int) error {
		_, err := s.GetToken(ctx, named(i))
		return err
	})
	measure("get-plain", func(ctx context.Context, i int) error {
		d := named(i)
		err := plain.Get(ctx, "plain:"+string(d[:])).Err()
		if err == redis.Nil { //nolint:errorlint // as go-redis has it
			return nil
		}
		return err
	})
}
