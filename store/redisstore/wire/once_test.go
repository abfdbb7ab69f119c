package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// lossy forwards connections to a Redis. Once lose is set, it forwards requests
// and drops the first reply together with its connection.
type lossy struct {
	addr   string
	target string
	lose   atomic.Bool
}

func newLossy(t *testing.T, target string) *lossy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	proxy := &lossy{addr: l.Addr().String(), target: target}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go proxy.forward(client)
		}
	}()
	return proxy
}

func (l *lossy) forward(client net.Conn) {
	server, err := net.Dial("tcp", l.target)
	if err != nil {
		_ = client.Close()
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	defer client.Close()
	defer server.Close()
	reply := make([]byte, 64<<10)
	for {
		n, err := server.Read(reply)
		if err != nil || l.lose.CompareAndSwap(true, false) {
			return
		}
		if _, err := client.Write(reply[:n]); err != nil {
			return
		}
	}
}

// TestWriteIsSentOnce checks that a write whose reply is lost is not sent again:
// it may have happened, and here it has. The caller learns that by
// store.ErrUnavailable.
func TestWriteIsSentOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	count := wire.NewScript(`return redis.call("incr", KEYS[1])`)
	increment := func(ctx context.Context, key string) redis.Cmder { return redis.NewIntCmd(ctx, "incr", key) }
	for name, write := range map[string]func(ctx context.Context, c *wire.Client, key string) error{
		"in a batch": func(ctx context.Context, c *wire.Client, key string) error {
			return c.Send(ctx, key, increment(ctx, key))
		},
		"acknowledged": func(ctx context.Context, c *wire.Client, key string) error {
			return c.SendAcked(ctx, key, wire.Ack{Replicas: 1}, increment(ctx, key))
		},
		"a script": func(ctx context.Context, c *wire.Client, key string) error { return c.Run(ctx, count, key).Err() },
		"a script acknowledged": func(ctx context.Context, c *wire.Client, key string) error {
			return c.RunAcked(ctx, wire.Ack{Replicas: 1}, count, key).Err()
		},
		"a plain command": func(ctx context.Context, c *wire.Client, key string) error {
			return c.Process(ctx, increment(ctx, key))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := newLossy(t, server.Addr)
			c := connect(t, server, func(o *wire.Options) { o.Addresses = []string{proxy.addr} })
			ctx := within(t)
			if err := c.Run(ctx, count, name+" before").Err(); err != nil { // connects, and loads the script
				t.Fatal(err)
			}
			proxy.lose.Store(true)
			err := wire.StoreError(ctx, "write", write(ctx, c, name))
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error %v, want store.ErrUnavailable", err)
			}
			if n, err := raw(t, server).Get(ctx, name).Int(); n != 1 || err != nil {
				t.Errorf("the write happened %d times (%v), want once", n, err)
			}
		})
	}
}
