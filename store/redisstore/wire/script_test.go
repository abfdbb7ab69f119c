package wire_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/store/redisstore/wire"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// older forwards connections to a Redis. While old is set, it replies to scripts
// with flags as a Redis before version 7 does.
type older struct {
	addr  string
	old   atomic.Bool
	tries atomic.Int64 // sources of scripts with flags
}

func newOlder(t *testing.T, target string) *older {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	proxy := &older{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go proxy.forward(client, target)
		}
	}()
	return proxy
}

func (o *older) forward(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(client, server) }()
	request := make([]byte, 64<<10)
	for {
		n, err := client.Read(request)
		if err != nil {
			return
		}
		to, what := server, request[:n]
		if bytes.Contains(what, []byte("#!lua")) {
			o.tries.Add(1)
			if o.old.Load() {
				to, what = client, []byte("-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'\r\n")
			}
		}
		if _, err := to.Write(what); err != nil {
			return
		}
	}
}

// A Redis that does not know the flags of scripts is asked again after a minute:
// the newer one that may be there by then can be full.
func TestEndingAfterAnOldRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := newOlder(t, server.Addr)
	c := connect(t, server, func(o *wire.Options) { o.Addresses = []string{proxy.addr} })
	ctx := within(t)
	end := wire.NewEnding(`return redis.call("incr", KEYS[1])`)
	run := func(when string, tries int64) {
		t.Helper()
		if err := c.Run(ctx, end, "key").Err(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if n := proxy.tries.Load(); n != tries {
			t.Errorf("%s: tried %d times with flags, want %d", when, n, tries)
		}
	}
	proxy.old.Store(true)
	run("old", 1)
	run("still old", 1)
	c.Age(wire.OldFor + time.Second)
	run("still old a minute later", 2)
	proxy.old.Store(false)
	c.Age(wire.OldFor / 2)
	run("newer", 2)
	c.Age(wire.OldFor/2 + time.Second)
	run("newer for a minute", 3)
	if err := raw(t, server).ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	run("full", 3)
}
