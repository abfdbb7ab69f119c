package backup_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// TestMigrate moves a store: what was alive is alive, what was void is gone, and the
// next start voids nothing.
func TestMigrate(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to newStore) {
		source, target := from(t), to(t)
		fill(t, source)
		if got, want := alive(t, source), []int{1, 5}; !slices.Equal(got, want) {
			t.Fatalf("tokens %v of the source are alive, want %v", got, want)
		}
		m, err := backup.Migrate(t.Context(), source, target, options)
		ok(t, err)
		if m.Void != 3 || m.Expired != 0 || m.Copied[store.SectionTokens].Count != 2 || m.Copied[store.SectionAudit].Count != 9 {
			t.Errorf("result %+v", m)
		}
		movedRecords(t, source, target)
		l, err := target.FeedLineage(t.Context())
		ok(t, err)
		if l.Witnessed != l.Current {
			t.Errorf("lineage %+v: the next start would void everything", l)
		}
		f := feed.New(feed.Options{Store: target, Now: time.Now, Log: options.Log, MaxStaleness: time.Second})
		ok(t, f.Start(t.Context()))
		defer f.Stop()
		if got, want := alive(t, target), []int{1, 5}; !slices.Equal(got, want) {
			t.Errorf("tokens %v are alive after the move, want %v", got, want)
		}
		ok(t, target.Stamp(t.Context(), stamp))
		ok(t, target.TryChallenge(t.Context(), digest(1), digest(2)))
		partnerTokens(t, target, newest(t, target))
		// What ends later ends what was moved.
		void(t, target, store.PrincipalSecret("a", "Ab3dEf7h"))
		if got := alive(t, target); got != nil {
			t.Errorf("tokens %v outlive the end of their secret", got)
		}
		_, err = backup.Migrate(t.Context(), source, target, options)
		wants(t, "a target that is in use", err, backup.ErrNotEmpty)
	})
}

func movedRecords(t *testing.T, source, target store.Store) {
	t.Helper()
	for _, section := range store.Sections() {
		want, got := items(t, source, section), items(t, target, section)
		switch section {
		case store.SectionTokens, store.SectionPartners, store.SectionClients: // they hold positions
			continue
		case store.SectionAudit:
			got = got[:len(got)-1] // the event of the move
			for i := range want {
				want[i].Key, got[i].Key = "", ""
			}
		}
		if d := cmp.Diff(want, got, cmpEmpty); d != "" {
			t.Errorf("%s (-source +target):\n%s", section, d)
		}
	}
}

// TestMigrateGoesOn lets moves fail, each later than the one before, and repeats them
// with the same target.
func TestMigrateGoesOn(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to newStore) {
		source, target := from(t), storetest.NewFaulty(to(t))
		fill(t, source)
		var events []store.Item
		for i := range 300 {
			events = append(events, event(t, i))
		}
		ok(t, source.Load(t.Context(), events...))
		failures := 0
		for after := 0; ; after++ {
			ctx, cancel := context.WithCancel(t.Context())
			left := after
			target.Hook("Load", func() {
				if left--; left < 0 {
					cancel()
				}
			})
			_, err := backup.Migrate(ctx, source, target, options)
			cancel()
			if err == nil {
				break
			}
			failures++
			wants(t, "an interrupted move", err, context.Canceled)
			wants(t, "the start after it", target.Stamp(t.Context(), stamp), store.ErrForeign)
		}
		if failures < 10 {
			t.Errorf("only %d moves failed", failures)
		}
		movedRecords(t, source, target)
		if got, want := alive(t, target), []int{1, 5}; !slices.Equal(got, want) {
			t.Errorf("tokens %v are alive after the move, want %v", got, want)
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	source, target := onFile(t), onFile(t)
	_, err := backup.Migrate(t.Context(), source, target, options)
	wants(t, "an empty store", err, store.ErrNotFound)
	fill(t, source)
	ok(t, source.WitnessFeed(t.Context(), "another"))
	_, err = backup.Migrate(t.Context(), source, target, options)
	wants(t, "a store that restarted unseen", err, backup.ErrDoubtful)
	ok(t, backup.CheckEmpty(t.Context(), target))
	l, err := source.FeedLineage(t.Context())
	ok(t, err)
	ok(t, source.WitnessFeed(t.Context(), l.Current))
	ok(t, target.Clients().Create(t.Context(), store.Client{ID: "x", Head: head()}))
	_, err = backup.Migrate(t.Context(), source, target, options)
	wants(t, "a target with a client", err, backup.ErrNotEmpty)
}

// TestMigrateCompares changes the target before it is read again.
func TestMigrateCompares(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(ctx context.Context, s store.Store) error{
		"a client is missing": func(ctx context.Context, s store.Store) error { return s.Clients().Delete(ctx, "a", 1) },
		"a client is added":   func(ctx context.Context, s store.Store) error { return s.Clients().Create(ctx, store.Client{ID: "z"}) },
		"a token differs": func(ctx context.Context, s store.Store) error {
			found, err := s.GetToken(ctx, digest(1))
			if err != nil {
				return err
			}
			found.Scopes = "users:write"
			return s.ReplaceToken(ctx, digest(1), found)
		},
		"an event is added": func(ctx context.Context, s store.Store) error {
			return s.AppendAudit(ctx, store.AuditEvent{Action: "x"})
		},
	} {
		source, target := onFile(t), storetest.NewFaulty(onFile(t))
		fill(t, source)
		loads, done := 0, false
		target.Hook("Load", func() { loads++ })
		target.Hook("Dump", func() {
			if loads < 13 || done { // the sections are all there
				return
			}
			done = true
			ok(t, change(context.WithoutCancel(t.Context()), target.Intercepted.Store))
		})
		_, err := backup.Migrate(t.Context(), source, target, options)
		wants(t, name, err, backup.ErrDiffers)
		wants(t, "the start after it", target.Stamp(t.Context(), stamp), store.ErrForeign)
	}
}

// TestMovedTokensKeepTheirIssuer moves a store whose issuer was changed twice.
func TestMovedTokensKeepTheirIssuer(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to newStore) {
		source, target := from(t), to(t)
		fill(t, source)
		for i := range 3 {
			d := digest(100 + i)
			ok(t, source.PutToken(t.Context(), d, token(t, source, "a")))
			_, err := backup.SetIssuer(t.Context(), source, fmt.Sprintf("https://%d.example.com", i), options)
			ok(t, err)
		}
		ok(t, source.PutToken(t.Context(), digest(103), token(t, source, "a")))
		issuers(t, source)
		_, err := backup.Migrate(t.Context(), source, target, options)
		ok(t, err)
		issuers(t, target)
	})
}

// issuers checks the issuers of the tokens 100 to 103.
func issuers(t *testing.T, s store.Store) {
	t.Helper()
	at, err := s.ReadStamp(t.Context())
	ok(t, err)
	if at.Issuer != "https://2.example.com" {
		t.Errorf("the issuer is %s", at.Issuer)
	}
	for i, want := range []string{"https://auth.example.com", "https://0.example.com", "https://1.example.com", ""} {
		found, err := s.GetToken(t.Context(), digest(100+i))
		ok(t, err)
		got := ""
		if f := store.FormerAt(at.Former, found.Position); f != nil {
			got = f.Issuer
		}
		if got != want {
			t.Errorf("token %d has the former issuer %q, want %q", 100+i, got, want)
		}
	}
}

func TestSetIssuer(t *testing.T) {
	t.Parallel()
	s := onFile(t)
	_, err := backup.SetIssuer(t.Context(), s, "https://x.example.com", options)
	wants(t, "an empty store", err, store.ErrNotFound)
	sandbox := store.Stamp{Environment: "sandbox", Format: store.Format}
	ok(t, s.Stamp(t.Context(), sandbox))
	o := options
	for day, issuer := range []string{"https://a.example.com", "https://b.example.com", "https://b.example.com", "https://c.example.com"} {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(day) * 24 * time.Hour) }
		_, err := backup.SetIssuer(t.Context(), s, issuer, o)
		ok(t, err)
	}
	at, err := s.ReadStamp(t.Context())
	ok(t, err)
	// An empty issuer is not known, and tokens of a are gone after two days.
	if at.Environment != "sandbox" || at.Issuer != "https://c.example.com" || len(at.Former) != 1 || at.Former[0].Issuer != "https://b.example.com" {
		t.Errorf("stamp %+v", at)
	}
	events, err := s.ListAudit(t.Context(), "", 10)
	ok(t, err)
	if len(events) != 3 || events[0].Action != "store.set_issuer" || string(events[0].After) != `{"issuer":"https://c.example.com","was":"https://b.example.com"}` {
		t.Errorf("events %+v", events)
	}
}
