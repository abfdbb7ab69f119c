package redisstore_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

// TestEndingsHaveRoom checks that above 90 % of maxmemory nothing new is made, and
// that what ends or changes things works even on a Redis that is full.
func TestEndingsHaveRoom(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	s, r := open(t, addr), raw(t, addr)
	ctx := within(t)
	now := time.Now().UTC().Truncate(time.Second)
	token := store.Token{Use: store.UseClient, ClientID: "billing", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	client := store.Client{ID: "billing", Head: store.Head{Version: 1}}
	makes := map[string]func() error{
		"PutToken": func() error { return s.PutToken(ctx, store.Digest{1}, token) },
		"PutChallenge": func() error {
			return s.PutChallenge(ctx, store.Digest{1}, store.Challenge{Tries: 5, ExpiresAt: now.Add(time.Hour)})
		},
		"CreateOrg": func() error {
			err := s.Orgs().Create(ctx, store.Org{ID: "acme"})
			if errors.Is(err, store.ErrExists) { // made before it was noticed that Redis is full
				return nil
			}
			return err
		},
	}
	if err := errors.Join(s.Clients().Create(ctx, client), makes["PutToken"]()); err != nil {
		t.Fatal(err)
	}
	lineage, err := s.FeedLineage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []string{"nearly full", "full"} {
		used, err := r.Info(ctx, "memory").Result()
		if err != nil {
			t.Fatal(err)
		}
		n := field(used, "used_memory")
		if limit == "nearly full" {
			n += n / 20
		}
		if err := r.ConfigSet(ctx, "maxmemory", strconv.FormatInt(n, 10)).Err(); err != nil {
			t.Fatal(err)
		}
		for name, make := range makes {
			poll.Await(t, patience, name+" is refused", func() string {
				err := make()
				if errors.Is(err, store.ErrUnavailable) && strings.Contains(err.Error(), "nearly full") {
					return ""
				}
				return "error: " + text(err)
			})
		}
		for name, end := range map[string]func() error{
			"AppendFeed": func() error {
				_, err := s.AppendFeed(ctx, store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, At: now})
				return err
			},
			"WitnessFeed":  func() error { return s.WitnessFeed(ctx, lineage.Current) },
			"ReplaceToken": func() error { return s.ReplaceToken(ctx, store.Digest{1}, token) },
			"UpdateClient": func() error {
				c, err := s.Clients().Get(ctx, "billing")
				if err != nil {
					return err
				}
				c.Name = strings.Repeat("x", 100)
				return s.Clients().Update(ctx, c)
			},
			"DropChallenge": func() error { return s.DropChallenge(ctx, store.Digest{1}) },
			"ResetGuesses":  func() error { return s.ResetGuesses(ctx, "a") },
		} {
			if err := end(); err != nil {
				t.Errorf("%s, %s: %v", limit, name, err)
			}
		}
	}
	if err := r.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for name, make := range makes {
		poll.Await(t, patience, name+" with room", func() string { return text(make()) })
	}
}

// TestEvictionIsNoticed checks that a policy which evicts is noticed while grantd
// runs, and that Ping says what to change.
func TestEvictionIsNoticed(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	var mu sync.Mutex
	var told []bool
	s := open(t, addr, func(o *redisstore.Options) {
		o.OnUnsuitable = func(is bool) { mu.Lock(); defer mu.Unlock(); told = append(told, is) }
	})
	r := raw(t, addr)
	for _, policy := range []string{"allkeys-lru", "noeviction"} {
		if err := r.ConfigSet(within(t), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
		poll.Await(t, patience, policy, func() string {
			err := s.Ping(context.Background())
			if policy == "noeviction" {
				return text(err)
			}
			if errors.Is(err, store.ErrUnsuitable) && strings.Contains(err.Error(), "allkeys-lru") {
				return ""
			}
			return "error: " + text(err)
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || !told[0] || told[1] {
		t.Errorf("told %v, want true and false", told)
	}
}

// TestRedisClockAhead checks that a Redis whose clock is more than a day ahead of
// grantd's does not drop entries that are needed.
func TestRedisClockAhead(t *testing.T) {
	t.Parallel()
	const ahead = store.FeedRetention + time.Hour
	s := open(t, redistest.Start(t).Addr, func(o *redisstore.Options) {
		o.Now = func() time.Time { return time.Now().Add(-ahead) }
	})
	s.Age(ahead)    // what the entries of before the jump look like to Redis
	for range 300 { // Redis drops whole blocks of entries
		if _, err := s.AppendFeed(within(t), store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := s.ReadFeed(within(t), store.Position{}, 0); err != nil || len(entries) != 300 {
		t.Errorf("%d entries, %v, want 300", len(entries), err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// field returns a number of INFO.
func field(info, name string) int64 {
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return n
		}
	}
	return 0
}

// oldRedis replies as a Redis before version 7 does to scripts that ask to run
// when it is full.
type oldRedis struct{ asked atomic.Int64 }

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func (*oldRedis) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *oldRedis) refuses(cmd redis.Cmder) bool {
	args := cmd.Args()
	if source, ok := args[min(1, len(args)-1)].(string); !ok || !strings.HasPrefix(source, "#!lua") {
		return false
	}
	o.asked.Add(1)
	cmd.SetErr(reply("ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'"))
	return true
}

func (o *oldRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if o.refuses(cmd) {
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func (o *oldRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, o.refuses) {
			return cmds[0].Err()
		}
		return next(ctx, cmds)
	}
}

// TestOldRedis checks that a Redis before version 7 gets scripts that it knows, and
// is asked once.
func TestOldRedis(t *testing.T) {
	t.Parallel()
	s, hook := open(t, redistest.Start(t).Addr), &oldRedis{}
	if err := s.HookMasters(within(t), hook); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.AppendFeed(within(t), void("a")); err != nil {
			t.Fatal(err)
		}
	}
	if n := hook.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want 1", n)
	}
}
