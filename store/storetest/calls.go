package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// call is a call of one operation with valid arguments.
type call struct {
	name string
	run  func(ctx context.Context, s store.Store) error
}

// calls returns a call of every operation except Close.
func calls(now time.Time) []call {
	return slices.Concat(
		clientRecords.calls(now),
		orgRecords.calls(now),
		customerRecords.calls(now),
		partnerRecords.calls(now),
		partnerTokenRecords.calls(now),
		apiKeyRecords.calls(now),
		grantRecords.calls(now),
		holdRecords.calls(now),
		noticeRecords.calls(now),
		signingRecords.calls(now),
		tokenCalls(now),
		verificationCalls(now),
		otherCalls(now),
		copyCalls(now),
	)
}

// calls returns a call of every operation on one kind of record.
func (k records[R]) calls(now time.Time) []call {
	kind := k.Title
	return []call{
		{"Create" + kind, func(ctx context.Context, s store.Store) error { return k.create(s, ctx, k.plain(now, "a")) }},
		{"Get" + kind, func(ctx context.Context, s store.Store) error { _, err := k.get(s, ctx, "a"); return err }},
		{"Update" + kind, func(ctx context.Context, s store.Store) error { return k.update(s, ctx, k.plain(now, "a")) }},
		{"Restore" + kind, func(ctx context.Context, s store.Store) error { return k.restore(s, ctx, k.plain(now, "a"), 1) }},
		{"Delete" + kind, func(ctx context.Context, s store.Store) error { return k.remove(s, ctx, "a", 1) }},
		{"List" + kind + "s", func(ctx context.Context, s store.Store) error { _, err := k.list(s, ctx, "", 1); return err }},
	}
}

func tokenCalls(now time.Time) []call {
	return []call{
		{"PutToken", func(ctx context.Context, s store.Store) error {
			return s.PutToken(ctx, digest("a"), plainToken(now, time.Hour))
		}},
		{"GetKeptToken", func(ctx context.Context, s store.Store) error {
			_, err := s.GetKeptToken(ctx, digest("a"))
			return err
		}},
		{"GetToken", func(ctx context.Context, s store.Store) error { _, err := s.GetToken(ctx, digest("a")); return err }},
		{"ReplaceToken", func(ctx context.Context, s store.Store) error {
			return s.ReplaceToken(ctx, digest("a"), plainToken(now, time.Hour))
		}},
		{"AppendFeed", func(ctx context.Context, s store.Store) error {
			_, err := s.AppendFeed(ctx, void(now, "a"))
			return err
		}},
		{"ReadFeed", func(ctx context.Context, s store.Store) error {
			_, err := s.ReadFeed(ctx, store.Position{}, patience)
			return err
		}},
		{"FeedLineage", func(ctx context.Context, s store.Store) error { _, err := s.FeedLineage(ctx); return err }},
		{"WitnessFeed", func(ctx context.Context, s store.Store) error { return s.WitnessFeed(ctx, "a") }},
	}
}

func verificationCalls(now time.Time) []call {
	return []call{
		{"PutChallenge", func(ctx context.Context, s store.Store) error {
			return s.PutChallenge(ctx, digest("a"), store.Challenge{Tries: 1, ExpiresAt: now.Add(time.Minute)})
		}},
		{"TryChallenge", func(ctx context.Context, s store.Store) error { return s.TryChallenge(ctx, digest("a"), digest("b")) }},
		{"DropChallenge", func(ctx context.Context, s store.Store) error { return s.DropChallenge(ctx, digest("a")) }},
		{"TakeGuess", func(ctx context.Context, s store.Store) error { _, _, err := s.TakeGuess(ctx, "a", wide); return err }},
		{"ReturnGuess", func(ctx context.Context, s store.Store) error { return s.ReturnGuess(ctx, "a", store.Guesses{}, true) }},
		{"GetGuesses", func(ctx context.Context, s store.Store) error {
			_, err := s.GetGuesses(ctx, "a", time.Minute)
			return err
		}},
		{"ResetGuesses", func(ctx context.Context, s store.Store) error { return s.ResetGuesses(ctx, "a") }},
	}
}

func copyCalls(now time.Time) []call {
	return []call{
		{"AdvanceFeed", func(ctx context.Context, s store.Store) error { return s.AdvanceFeed(ctx, store.Position{Seq: 1}) }},
		{"ReadStamp", func(ctx context.Context, s store.Store) error { _, err := s.ReadStamp(ctx); return err }},
		{"Restamp", func(ctx context.Context, s store.Store) error { return s.Restamp(ctx, store.Stamp{}, ours) }},
		{"Dump", func(ctx context.Context, s store.Store) error {
			_, _, err := s.Dump(ctx, store.SectionClients, "", 10)
			return err
		}},
		{"Load", func(ctx context.Context, s store.Store) error {
			t := plainToken(now, time.Hour)
			return s.Load(ctx, store.TokenItem(digest("a"), &t))
		}},
		{"Clear", func(ctx context.Context, s store.Store) error { return s.Clear(ctx) }},
		{"Serving", func(ctx context.Context, s store.Store) error { _, err := s.Serving(ctx); return err }},
		{"Inspect", func(ctx context.Context, s store.Store) error { return s.Inspect(ctx, func(store.Finding) {}) }},
	}
}

func otherCalls(now time.Time) []call {
	return []call{
		{"ResetHits", func(ctx context.Context, s store.Store) error { return s.ResetHits(ctx, "a") }},
		{"AddHits", func(ctx context.Context, s store.Store) error {
			_, err := s.AddHits(ctx, store.Hit{Key: "a", N: 1, Window: time.Minute})
			return err
		}},
		{"AddUses", func(ctx context.Context, s store.Store) error {
			return s.AddUses(ctx, []store.Use{use("a", "s", 1, now, "192.0.2.1")})
		}},
		{"AddNetworks", func(ctx context.Context, s store.Store) error { return s.AddNetworks(ctx, "a", "n") }},
		{"ListNetworks", func(ctx context.Context, s store.Store) error { _, err := s.ListNetworks(ctx, "a"); return err }},
		{"ListUses", func(ctx context.Context, s store.Store) error { _, err := s.ListUses(ctx, "client:a"); return err }},
		{"ListUsesOf", func(ctx context.Context, s store.Store) error { _, err := s.ListUsesOf(ctx, "client:a"); return err }},
		{"AppendAudit", func(ctx context.Context, s store.Store) error { return s.AppendAudit(ctx, event(now, "a")) }},
		{"ListAudit", func(ctx context.Context, s store.Store) error { _, err := s.ListAudit(ctx, "", 1); return err }},
		{"Stamp", func(ctx context.Context, s store.Store) error { return s.Stamp(ctx, ours) }},
		{"EnsureTokenKey", func(ctx context.Context, s store.Store) error {
			_, err := s.EnsureTokenKey(ctx, store.TokenKey{ID: 1, Key: make([]byte, 32), CreatedAt: now})
			return err
		}},
		{"IndexGroups", func(ctx context.Context, s store.Store) error { _, err := s.IndexGroups(ctx); return err }},
		{"Ping", func(ctx context.Context, s store.Store) error { return s.Ping(ctx) }},
	}
}
