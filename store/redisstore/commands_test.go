package redisstore_test

import (
	"errors"
	"maps"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// ordinary returns a token as most clients get it.
func ordinary(now time.Time) store.Token {
	now = now.UTC().Truncate(time.Second)
	return store.Token{
		Use:       store.UseClient,
		ClientID:  "gc_0123456789abcdefghijkl",
		SecretID:  "Ab3dEf7h",
		Scopes:    "users:read users:write",
		IssuedAt:  now,
		ExpiresAt: now.Add(time.Hour),
		Position:  store.Position{Time: uint64(now.UnixMilli()), Seq: 4},
	}
}

var callsRule = regexp.MustCompile(`calls=(\d+)`)

// counted returns how often Redis ran each command during f.
func counted(t *testing.T, r *redis.Client, f func()) map[string]int {
	t.Helper()
	ctx := within(t)
	if err := r.Do(ctx, "config", "resetstat").Err(); err != nil {
		t.Fatal(err)
	}
	f()
	calls := map[string]int{}
	for name, text := range infoOf(ctx, r, "commandstats") {
		if m := callsRule.FindStringSubmatch(text); m != nil {
			calls[name[len("cmdstat_"):]], _ = strconv.Atoi(m[1])
		}
	}
	maps.DeleteFunc(calls, func(name string, _ int) bool { return name == "info" || name == "config|resetstat" })
	return calls
}

func TestHotPathsAreOneCommand(t *testing.T) {
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	if err := s.Clients().Create(ctx, store.Client{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		run  func() error
		want map[string]int
	}{
		{"PutToken", func() error { return s.PutToken(ctx, store.Digest{1}, ordinary(time.Now())) }, map[string]int{"set": 1}},
		{"GetToken", func() error { _, err := s.GetToken(ctx, store.Digest{1}); return err }, map[string]int{"get": 1}},
		{"GetClient", func() error { _, err := s.Clients().Get(ctx, "a"); return err }, map[string]int{"hget": 1}},
	} {
		got := counted(t, r, func() {
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
		})
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestTokenExpiresInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	token := ordinary(time.Now())
	if err := s.PutToken(ctx, store.Digest{1}, token); err != nil {
		t.Fatal(err)
	}
	ttl := func() time.Duration { return r.TTL(ctx, "grantd:t:"+string(make32(1))).Val() }
	life := time.Hour + store.TokenKept
	if got := ttl(); got < life-5*time.Second || got > life+time.Second {
		t.Fatalf("TTL %v", got)
	}
	token.Revoked = &store.Revocation{At: token.IssuedAt, By: "uid:0"}
	if err := s.ReplaceToken(ctx, store.Digest{1}, token); err != nil {
		t.Fatal(err)
	}
	if got := ttl(); got < life-5*time.Second || got > life+time.Second {
		t.Fatalf("TTL of the tombstone %v", got)
	}
}

// TestVerificationsExpireInRedis: Redis expires a challenge, and the counts of a
// customer without wrong codes in a row.
func TestVerificationsExpireInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	ends := func(step, key string, life time.Duration) {
		t.Helper()
		if got := r.PTTL(ctx, key).Val(); got < life-5*time.Second || got > life {
			t.Errorf("%s: PTTL %v, want %v", step, got, life)
		}
	}
	stays := func(step, key string) {
		t.Helper()
		if got := r.PTTL(ctx, key).Val(); got != -1 {
			t.Errorf("%s: PTTL %v, want none", step, got)
		}
	}
	ok := func(err error, accepted ...error) {
		t.Helper()
		if err != nil && (len(accepted) == 0 || !errors.Is(err, accepted[0])) {
			t.Fatal(err)
		}
	}
	challenge := "grantd:v:" + string(make32(1))
	ok(s.PutChallenge(ctx, store.Digest{1}, store.Challenge{Tries: 5, ExpiresAt: time.Now().Add(10 * time.Minute)}))
	ends("a challenge", challenge, 10*time.Minute)
	ok(s.TryChallenge(ctx, store.Digest{1}, store.Digest{9}), store.ErrWrong)
	ends("a challenge with a try less", challenge, 10*time.Minute)
	ok(s.PutChallenge(ctx, store.Digest{1}, store.Challenge{Tries: 5, ExpiresAt: time.Now().Add(time.Hour)}))
	ends("a challenge put again", challenge, time.Hour)

	const counts = "grantd:w:a"
	var g store.Guesses
	take := func() {
		t.Helper()
		var taken bool
		var err error
		g, taken, err = s.TakeGuess(ctx, "a", store.GuessBounds{Window: 24 * time.Hour, Today: 20, InRow: 100})
		if err != nil || !taken {
			t.Fatalf("taken %v, %v", taken, err)
		}
	}
	take()
	take()
	stays("a row", counts)
	ok(s.ReturnGuess(ctx, "a", g, true))
	ends("no row any more", counts, 24*time.Hour)
	take()
	stays("a row that began again", counts)
	ok(s.ReturnGuess(ctx, "a", g, false))
	ends("no row again", counts, 24*time.Hour)
	ok(s.ReturnGuess(ctx, "a", g, false))
	if n := r.Exists(ctx, counts).Val(); n != 0 {
		t.Error("counts of zero are kept")
	}
}

func make32(first byte) []byte { return append([]byte{first}, make([]byte, 31)...) }

// TestBrokenConnections: a connection that breaks while it is idle fails neither
// a read nor the write of a token. Other writes return ErrUnavailable.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	for range 20 {
		if err := s.PutToken(ctx, store.Digest{1}, ordinary(time.Now())); err != nil {
			t.Fatal(err)
		}
		r.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes")
		if _, err := s.GetToken(ctx, store.Digest{1}); err != nil {
			t.Fatal(err)
		}
		r.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes")
	}
}

func TestScriptsSurviveAFlushedCache(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	for range 2 {
		if _, err := s.AppendFeed(ctx, void("a")); err != nil {
			t.Fatal(err)
		}
		if err := r.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullRedisIsUnavailable(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	if err := s.PutToken(ctx, store.Digest{1}, ordinary(time.Now())); err != nil {
		t.Fatal(err)
	}
	if err := r.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"put token":     s.PutToken(ctx, store.Digest{2}, ordinary(time.Now())),
		"create client": s.Clients().Create(ctx, store.Client{ID: "a"}),
		"append audit":  s.AppendAudit(ctx, store.AuditEvent{Action: "a", Traffic: true}),
		"ping":          s.Ping(ctx),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.GetToken(ctx, store.Digest{1}); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := s.AppendAudit(ctx, store.AuditEvent{Action: "client.deactivate"}); err != nil {
		t.Errorf("the audit of an operator's change: %v", err)
	}
}

func TestAuditRetentionHasADefault(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.Addr, func(o *redisstore.Options) { o.AuditRetention = 0 })
	if err := s.AppendAudit(within(t), store.AuditEvent{Action: "a"}, store.AuditEvent{Action: "b"}); err != nil {
		t.Fatal(err)
	}
	if events, err := s.ListAudit(within(t), "", 10); err != nil || len(events) != 2 {
		t.Fatalf("%v, %v", events, err)
	}
}
