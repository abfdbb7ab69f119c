package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// refuses fails unless Open returns want, with a message that holds the words.
func refuses(t *testing.T, o redisstore.Options, want error, words ...string) {
	t.Helper()
	s, err := redisstore.Open(within(t), o)
	if err == nil {
		_ = s.Close()
		t.Fatal("opened")
	}
	if want != nil && !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestOpenRefusesOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o     redisstore.Options
		words string
	}{
		"no address":               {redisstore.Options{}, "store.redis.addresses"},
		"two standalone addresses": {redisstore.Options{Addresses: []string{"a:1", "b:1"}}, "store.redis.addresses"},
		"sentinel without master":  {redisstore.Options{Mode: redisstore.ModeSentinel, Addresses: []string{"a:1"}}, "master_name"},
		"master without sentinel":  {redisstore.Options{MasterName: "m", Addresses: []string{"a:1"}}, "master_name"},
		"database of a cluster":    {redisstore.Options{Mode: redisstore.ModeCluster, Addresses: []string{"a:1"}, DB: 1}, "store.redis.db"},
		"unknown mode":             {redisstore.Options{Mode: "single", Addresses: []string{"a:1"}}, "store.redis.mode"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.o, nil, c.words) })
	}
}

func TestOpenRefusesEviction(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		if err := raw(t, server.Addr).ConfigSet(within(t), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
		refuses(t, redisstore.Options{Addresses: []string{server.Addr}}, store.ErrUnsuitable,
			policy, "CONFIG SET maxmemory-policy noeviction")
	}
}

func TestOpenRefusesTheOtherTopology(t *testing.T) {
	t.Parallel()
	plain, cluster := redistest.Start(t), redistest.Start(t, "--cluster-enabled", "yes")
	refuses(t, redisstore.Options{Addresses: []string{cluster.Addr}}, store.ErrUnsuitable, "store.redis.mode to cluster")
	refuses(t, redisstore.Options{Addresses: []string{plain.Addr}, Mode: redisstore.ModeCluster}, store.ErrUnsuitable, "store.redis.mode to standalone")
}

func login(username, password string) redisstore.Login {
	return redisstore.Login{Username: username, Password: func() (string, error) { return password, nil }}
}

func TestOpenCredentials(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "right")
	addr := []string{server.Addr}
	says := []string{"store.redis.username", "store.redis.password_file"}
	refuses(t, redisstore.Options{Addresses: addr}, store.ErrUnavailable, says...)
	refuses(t, redisstore.Options{Addresses: addr, Login: login("", "wrong")}, store.ErrUnavailable, says...)
	refuses(t, redisstore.Options{Addresses: addr, Login: login("nobody", "right")}, store.ErrUnavailable, says...)
	open(t, server.Addr, func(o *redisstore.Options) { o.Login = login("", "right") })

	r := open(t, server.Addr, func(o *redisstore.Options) { o.Login = login("default", "right") })
	if err := r.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesAnAccountThatCannotWrite(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--user", "reader", "on", ">right", "~*", "+@all", "-@write")
	refuses(t, redisstore.Options{Addresses: []string{server.Addr}, Login: login("reader", "right")},
		store.ErrUnavailable, "ACL")
}

func TestOpenRefusesAReplica(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1", port(t, master))
	refuses(t, redisstore.Options{Addresses: []string{replica.Addr}}, store.ErrUnavailable, "READONLY")
}

func TestOpenWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Stop()
	refuses(t, redisstore.Options{Addresses: []string{server.Addr}}, store.ErrUnavailable)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := redisstore.Open(ctx, redisstore.Options{Addresses: []string{server.Addr}})
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
}

func TestDeadlineReachesTheSocket(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr, func(o *redisstore.Options) { o.ReadTimeout = patience }), raw(t, server.Addr)
	if err := r.Do(within(t), "client", "pause", int(patience.Milliseconds()), "all").Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.GetToken(ctx, store.Digest{})
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	if took := time.Since(start); took > patience/4 {
		t.Fatalf("it took %v", took)
	}
}
