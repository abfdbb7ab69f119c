package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// TestGarbageIsAnUnknownRecord: no part of a record is used unless all of it can
// be read.
func TestGarbageIsAnUnknownRecord(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	digest := store.Digest{1}
	tokenKey := "grantd:t:" + string(digest[:])

	getToken := func() error { _, err := s.GetToken(ctx, digest); return err }
	getClient := func() error { _, err := s.Clients().Get(ctx, "a"); return err }
	listClients := func() error { _, err := s.Clients().List(ctx, store.Page{Limit: 10}); return err }
	listUses := func() error { _, err := s.ListUses(ctx, "client:a"); return err }
	listAudit := func() error { _, err := s.ListAudit(ctx, "", 10); return err }
	ensureKey := func() error { _, err := s.EnsureTokenKey(ctx, store.TokenKey{ID: 1}); return err }
	stamp := func() error { return s.Stamp(ctx, store.Stamp{Format: store.Format}) }

	getOrg := func() error { _, err := s.Orgs().Get(ctx, "a"); return err }
	listCustomers := func() error { _, err := s.Customers().List(ctx, store.Page{Limit: 10}); return err }
	try := func(first byte) func() error {
		return func() error { return s.TryChallenge(ctx, store.Digest{first}, digest) }
	}
	challenge := func(first byte, fields ...any) redis.Cmder {
		return r.HSet(ctx, "grantd:v:"+string(make32(first)), fields...)
	}
	getGuesses := func() error { _, err := s.GetGuesses(ctx, "a", time.Hour); return err }
	takeGuess := func() error { _, _, err := s.TakeGuess(ctx, "a", store.GuessBounds{}); return err }
	returnGuess := func() error { return s.ReturnGuess(ctx, "a", store.Guesses{}, true) }
	r.ZAdd(ctx, "grantd:customers", redis.Z{Member: "a"})

	set := func(value string) redis.Cmder { return r.Set(ctx, tokenKey, value, 0) }
	client := func(value string) redis.Cmder {
		r.ZAdd(ctx, "grantd:clients", redis.Z{Member: "a"})
		return r.HSet(ctx, "grantd:c:a", "v", 1, "d", value)
	}
	for _, c := range []struct {
		name  string
		write redis.Cmder
		read  func() error
	}{
		{"empty token", set(""), getToken},
		{"token of a newer version", set("\x02\x01"), getToken},
		{"token cut short", set("\x01\x01\x05"), getToken},
		{"client that is no JSON", client("{"), getClient},
		{"client of a newer version", client(`{"v":2,"id":"a"}`), getClient},
		{"listed client that is no JSON", client("null"), listClients},
		{"uses that are no numbers", r.HSet(ctx, "grantd:c:a", "s:n", "many", "s:last", "now"), listUses},
		{"audit event of another form", r.XAdd(ctx, &redis.XAddArgs{Stream: "grantd:audit", Values: []string{"x", "y"}}), listAudit},
		{"org of a newer version", r.HSet(ctx, "grantd:o:a", "v", 1, "d", `{"v":2,"id":"a"}`), getOrg},
		{"listed customer that is no JSON", r.HSet(ctx, "grantd:u:a", "v", 1, "d", "["), listCustomers},
		{"challenge without an end", challenge(1, "p", string(digest[:]), "n", 5), try(1)},
		{"challenge whose tries are no number", challenge(2, "p", string(digest[:]), "n", "many", "e", 1<<50), try(2)},
		{"challenge without a proof", challenge(3, "n", 5, "e", 1<<50), try(3)},
		{"counts that are no numbers", r.HSet(ctx, "grantd:w:a", "t", "many"), getGuesses},
		{"counts that are no numbers, taken", r.HSet(ctx, "grantd:w:a", "t", "many"), takeGuess},
		{"counts that are no numbers, returned", r.HSet(ctx, "grantd:w:a", "r", ""), returnGuess},
		{"stamp that is no JSON", r.Set(ctx, "grantd:stamp", "x", 0), stamp},
		{"token key that is no JSON", r.HSet(ctx, "grantd:keys", "1", "x"), ensureKey},
		{"token key of a newer version", r.HSet(ctx, "grantd:keys", "1", `{"v":2}`), ensureKey},
		{"token key whose id is no number", r.HSet(ctx, "grantd:keys", "1", `{"v":1}`, "x", `{"v":1}`), ensureKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The commands above ran in order, so each key holds only its last
			// value: run the command again.
			if err := r.Do(ctx, c.write.Args()...).Err(); err != nil {
				t.Fatal(err)
			}
			if err := c.read(); !errors.Is(err, store.ErrUnknownRecord) {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	digest := store.Digest{1}
	r.LPush(ctx, "grantd:t:"+string(digest[:]), "x")
	r.LPush(ctx, "grantd:c:a", "x")
	r.LPush(ctx, "grantd:feed", "x")
	r.LPush(ctx, "grantd:v:"+string(digest[:]), "x")
	r.LPush(ctx, "grantd:w:a", "x")
	_, tokenErr := s.GetToken(ctx, digest)
	_, clientErr := s.Clients().Get(ctx, "a")
	_, feedErr := s.ReadFeed(ctx, store.Position{}, 0)
	_, _, takeErr := s.TakeGuess(ctx, "a", store.GuessBounds{})
	_, guessesErr := s.GetGuesses(ctx, "a", time.Hour)
	_, appendErr := s.AppendFeed(ctx, void("a"))
	for name, err := range map[string]error{
		"token": tokenErr, "client": clientErr, "read feed": feedErr, "append feed": appendErr,
		"update client": s.Clients().Update(ctx, store.Client{ID: "a", Head: store.Head{Version: 1}}),
		"try challenge": s.TryChallenge(ctx, digest, digest), "take guess": takeErr, "get guesses": guessesErr,
	} {
		if !errors.Is(err, store.ErrUnknownRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnreadableTokenIsReplaced: an unreadable token can still be revoked.
func TestUnreadableTokenIsReplaced(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	digest := store.Digest{1}
	r.Set(ctx, "grantd:t:"+string(digest[:]), "\x02new", time.Hour)
	tombstone := ordinary(time.Now())
	tombstone.Revoked = &store.Revocation{At: tombstone.IssuedAt, By: "uid:0"}
	if err := s.ReplaceToken(ctx, digest, tombstone); err != nil {
		t.Fatal(err)
	}
	if got, err := s.GetToken(ctx, digest); err != nil || got.Revoked == nil {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestGarbageInTheFeedVoidsAll: an entry of an unknown form voids everything
// before it.
func TestGarbageInTheFeedVoidsAll(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	r.XAdd(ctx, &redis.XAddArgs{Stream: "grantd:feed", Values: []string{"x", "y"}})
	entries, err := s.ReadFeed(ctx, store.Position{}, 0)
	if err != nil || len(entries) != 1 || entries[0].Key != store.PrincipalAll || entries[0].Kind != store.EntryVoid {
		t.Fatalf("%+v, %v", entries, err)
	}
}

// TestListSkipsOrphans: a list skips index entries without a record, and still
// fills its page.
func TestListSkipsOrphans(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		r.ZAdd(ctx, "grantd:clients", redis.Z{Member: id})
	}
	for _, id := range []string{"c", "f"} {
		if err := s.Clients().Create(ctx, store.Client{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.Clients().List(ctx, store.Page{Limit: 2})
	if err != nil || len(list) != 2 || list[0].ID != "c" || list[1].ID != "f" {
		t.Fatalf("%v, %v", list, err)
	}
}
