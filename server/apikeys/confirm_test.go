package apikeys

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// void says in the feed that the principals are void.
func (w *world) void(t *testing.T, keys ...string) {
	for _, key := range keys {
		if err := w.feed.Append(t.Context(), store.Entry{Kind: store.EntryVoid, Key: key, By: "uid:0"}); err != nil {
			t.Error(err)
		}
	}
}

// once has do called before the next call of the operation.
func (w *world) once(operation string, do func()) {
	var done atomic.Bool // do may call the operation itself
	w.store.Hook(operation, func() {
		if !done.Swap(true) {
			do()
		}
	})
}

// endings are what can end while a client makes a key, each as the command does it.
var endings = map[string]func(t *testing.T, w *world, b bearer){
	"the token": func(t *testing.T, w *world, b bearer) {
		w.void(t, store.PrincipalToken(b.found.Digest))
		_, err := w.EndMadeWith(t.Context(), operator, "acme", store.KeyOrigin{TokenID: tokens.ID(b.found.Digest)})
		wants(t, "end", err, "", "")
	},
	"the secret": func(t *testing.T, w *world, b bearer) {
		w.void(t, store.PrincipalSecret("backend", b.token.SecretID))
		_, err := w.EndMadeWith(t.Context(), operator, "acme", store.KeyOrigin{ClientID: "backend", SecretID: b.token.SecretID})
		wants(t, "end", err, "", "")
	},
	"all keys": func(t *testing.T, w *world, _ bearer) {
		w.void(t, store.PrincipalAll, store.PrincipalAllKeys)
		wants(t, "end", w.VoidAll(t.Context(), operator), "", "")
	},
	"the org": func(t *testing.T, w *world, _ bearer) {
		_, err := w.orgs(t).VoidTokens(t.Context(), operator, "acme")
		wants(t, "end", err, "", "")
	},
}

// orgs returns a registry that changes orgs as the commands do.
func (w *world) orgs(t *testing.T) *registry.Registry[store.Org] {
	t.Helper()
	return registry.New(registry.Kind[store.Org]{
		Kind: store.OrgKind, Valid: func(string) bool { return true }, Store: w.store.Orgs(), View: func(store.Org) any { return nil },
		End: func(o *store.Org, by string, now time.Time) { o.EndKeys(by, now) },
	}, w.feed, &audit.Log{Store: w.store, Now: w.clock.Now, Log: w.log}, w.clock.Now)
}

// liveRecords returns how many keys of acme have not ended in the records, which is all
// that is left when the feed forgets a void.
func (w *world) liveRecords(t *testing.T) (n int) {
	t.Helper()
	org, err := w.store.Orgs().Get(t.Context(), "acme")
	wants(t, "org", err, "", "")
	wants(t, "list", w.eachOf(t.Context(), "acme", func(k *store.APIKey) {
		if k.RevokedAt == nil && !k.EndedWith(&org) {
			n++
		}
	}), "", "")
	return n
}

// Whatever ends between two steps of making a key ends the key too, for good.
func TestEndsWhileAKeyIsMade(t *testing.T) {
	for rule, end := range endings {
		for _, step := range []string{"GetOrg", "ListAPIKeys", "CreateAPIKey", "AppendFeed", "AppendAudit"} {
			t.Run(rule+" before "+step, func(t *testing.T) {
				w := newWorld(t)
				b := w.bearer("acme")
				w.once(step, func() { end(t, w, b) })
				plain, _, err := w.createFor(t.Context(), b, "2", Request{Description: ptr("d"), Scope: ptr("cards")})
				if n := w.liveRecords(t); n != 0 {
					t.Errorf("%d keys work when the feed forgets the end (error %v)", n, err)
				}
				if err == nil {
					w.works(t, "the key that was made", plain, false)
				}
			})
		}
	}
}

// An operator's key, and one that a rotation makes, do not outlive a void of all keys.
func TestVoidAllWhileAnOperatorMakesAKey(t *testing.T) {
	for _, step := range []string{"GetOrg", "CreateAPIKey", "AppendFeed", "AppendAudit"} {
		t.Run(step, func(t *testing.T) {
			for rule, make := range map[string]func(w *world, old Created) error{
				"create": func(w *world, _ Created) error {
					_, err := w.Create(t.Context(), operator, "acme", Spec{Owner: "2", Name: "report", Scope: "cards"})
					return err
				},
				"rotate": func(w *world, old Created) error {
					_, err := w.Rotate(t.Context(), operator, old.ID, time.Hour)
					return err
				},
			} {
				w := newWorld(t)
				old := w.key(t, nil)
				w.once(step, func() { endings["all keys"](t, w, w.bearer("acme")) })
				err := make(w, old)
				switch live := w.liveRecords(t); {
				case err == nil && (live != 1 || rule != "create"): // made afterward
					t.Errorf("%s: %d keys live", rule, live)
				case err != nil && live != 0:
					t.Errorf("%s: %d keys live after %v", rule, live, err)
				}
			}
		})
	}
}

// A void of all keys that is still being written down makes no key a base for another.
func TestRotateAVoidKey(t *testing.T) {
	w := newWorld(t)
	old := w.key(t, nil)
	w.void(t, store.PrincipalAllKeys)
	_, err := w.Rotate(t.Context(), operator, old.ID, time.Hour)
	wants(t, "rotate", err, apierr.Conflict, "")
}

// While an org's end is in its record and not in the feed, its clients make no keys:
// their tokens still work, and a key would have the epoch after the end.
func TestOrgThatIsBeingEnded(t *testing.T) {
	w := newWorld(t)
	b := w.bearer("acme")
	r := Request{Description: ptr("d"), Scope: ptr("cards")}
	w.store.Fail("AppendFeed", store.ErrUnavailable)
	if _, err := w.orgs(t).VoidTokens(t.Context(), operator, "acme"); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	w.store.Heal("AppendFeed")
	_, _, err := w.createFor(t.Context(), b, "2", r)
	wants(t, "before the feed is told", err, apierr.Unavailable, "")
	_, err = w.orgs(t).VoidTokens(t.Context(), operator, "acme")
	wants(t, "the command again", err, "", "")
	_, _, err = w.createFor(t.Context(), b, "2", r)
	wants(t, "with a token from before", err, apierr.InvalidToken, "")
	b.token.Position, b.found.Mark = w.feed.Position(), feed.Mark{Position: w.feed.Position()}
	_, _, err = w.createFor(t.Context(), b, "2", r)
	wants(t, "with a token from after", err, "", "")
}

// If nobody can tell whether the bearer still works, the key ends and is not returned.
func TestKeyThatCannotBeConfirmed(t *testing.T) {
	w := newWorld(t)
	w.once("AppendAudit", func() { w.store.Fail("ReadFeed", store.ErrUnavailable) })
	plain, _, err := w.createFor(t.Context(), w.bearer("acme"), "2", Request{Description: ptr("d"), Scope: ptr("cards")})
	if plain != "" || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

// A caller that waits for others of its org stops waiting when it leaves.
func TestLockHeedsItsCaller(t *testing.T) {
	w := newWorld(t)
	unlock, err := w.lock(t.Context(), "acme")
	wants(t, "lock", err, "", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.createFor(ctx, w.bearer("acme"), "2", Request{Description: ptr("d"), Scope: ptr("cards")}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	unlock()
	w.key(t, nil)
}

// A leak ends the keys of a token that has no record, and so no org.
func TestEndMadeWithAnExpiredToken(t *testing.T) {
	w := newWorld(t)
	b := w.bearer("acme")
	plain, k, err := w.createFor(t.Context(), b, "2", Request{Description: ptr("d"), Scope: ptr("cards")})
	wants(t, "make", err, "", "")
	other := w.key(t, nil)
	ended, err := w.EndMadeWith(t.Context(), operator, "", store.KeyOrigin{TokenID: tokens.ID(b.found.Digest)})
	if err != nil || len(ended) != 1 || ended[0] != k.ID {
		t.Errorf("ended %v, error %v", ended, err)
	}
	w.works(t, "the key", plain, false)
	w.works(t, "another key", other.Key, true)
	if ended, err := w.EndMadeWith(t.Context(), operator, "", store.KeyOrigin{ClientID: "backend"}); err != nil || ended != nil {
		t.Errorf("of a client of no org: %v %v", ended, err)
	}
}

// A key that a rotation makes while the keys of a leaked token end does not outlive them.
func TestRotateWhileItsOriginEnds(t *testing.T) {
	w := newWorld(t)
	b := w.bearer("acme")
	_, k, err := w.createFor(t.Context(), b, "2", Request{Description: ptr("d"), Scope: ptr("cards")})
	wants(t, "make", err, "", "")
	w.once("UpdateAPIKey", func() { // the keys have been listed, and none has ended
		_, err := w.Rotate(t.Context(), operator, k.ID, time.Hour)
		wants(t, "rotate", err, "", "")
	})
	_, err = w.EndMadeWith(t.Context(), operator, "acme", store.KeyOrigin{TokenID: tokens.ID(b.found.Digest)})
	wants(t, "end", err, "", "")
	if n := w.liveRecords(t); n != 0 {
		t.Errorf("%d keys work", n)
	}
}

// Callers that list keys of an org while it is read share the next read.
func TestListsShareReads(t *testing.T) {
	synctest.Test(t, testListsShareReads)
}

func testListsShareReads(t *testing.T) {
	w := newWorld(t)
	w.key(t, nil)
	entered, release := w.store.Block("ListAPIKeys")
	before := w.store.Calls("ListAPIKeys")
	done := make(chan error)
	list := func() { _, err := w.liveOf(t.Context(), "acme", "2"); done <- err }
	go list()
	<-entered
	for range 10 {
		go list()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.keysOf(ctx, "acme"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a caller that leaves: %v", err)
	}
	synctest.Wait()
	release()
	for range 11 {
		wants(t, "list", <-done, "", "")
	}
	if n := w.store.Calls("ListAPIKeys") - before; n != 2 {
		t.Errorf("%d reads for 11 callers", n)
	}
}
