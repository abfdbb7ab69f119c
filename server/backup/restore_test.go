package backup_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// TestRestore copies a store into a file and from there into each kind of store.
func TestRestore(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to newStore) {
		source, target := from(t), to(t)
		fill(t, source)
		file := export(t, source)
		if bytes.Contains(file, base64.StdEncoding.AppendEncode(nil, []byte(privateKey))) || bytes.Contains(file, []byte("signing_keys")) {
			t.Error("the file has signing keys")
		}
		verified, err := backup.Verify(bytes.NewReader(file))
		ok(t, err)
		ok(t, backup.CheckEmpty(t.Context(), target))
		sum, err := backup.Restore(t.Context(), target, bytes.NewReader(file), options)
		ok(t, err)
		if d := cmp.Diff(verified, sum); d != "" {
			t.Errorf("summaries of Verify and Restore (-verify +restore):\n%s", d)
		}
		restoredRecords(t, source, target)
		restoredFeed(t, source, target, file)
		wants(t, "a second restore", backup.CheckEmpty(t.Context(), target), backup.ErrNotEmpty)
		if got := alive(t, target); got != nil {
			t.Errorf("tokens %v are in the restored store", got)
		}
	})
}

func restoredRecords(t *testing.T, source, target store.Store) {
	t.Helper()
	for _, section := range store.Sections() {
		want, got := items(t, source, section), items(t, target, section)
		switch section {
		case store.SectionTokens, store.SectionChallenges, store.SectionSigningKeys:
			want = nil
		case store.SectionPartners, store.SectionClients: // they hold positions
			continue
		case store.SectionAudit:
			got = got[:len(got)-1] // the event of the restore
			for i := range want {
				want[i].Key = ""
			}
			for i := range got {
				got[i].Key = ""
			}
		}
		if d := cmp.Diff(want, got, cmpEmpty); d != "" {
			t.Errorf("%s (-source +target):\n%s", section, d)
		}
	}
	want, err := source.Clients().Get(t.Context(), "b")
	ok(t, err)
	got, err := target.Clients().Get(t.Context(), "b")
	ok(t, err)
	// A later change of the client must append the void that is missing, whatever
	// the new feed has.
	want.UnannouncedSince = store.Position{}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("client b (-want +got):\n%s", d)
	}
	partnerTokens(t, target, newest(t, target))
	at, err := target.ReadStamp(t.Context())
	ok(t, err)
	if d := cmp.Diff(stamp, at); d != "" {
		t.Errorf("stamp:\n%s", d)
	}
	ok(t, target.Stamp(t.Context(), stamp))
}

var cmpEmpty = cmp.Transformer("empty", func(list []store.Item) []store.Item { return append([]store.Item{}, list...) })

// partnerTokens checks that P2 and P3, which only the feed said were void, are
// revoked in the partner's record, and that no position is after last.
func partnerTokens(t *testing.T, s store.Store, last store.Position) {
	t.Helper()
	p, err := s.Partners().Get(t.Context(), "acme")
	ok(t, err)
	var ended []string
	for _, token := range p.Tokens {
		if token.RevokedAt != nil {
			ended = append(ended, token.ID+" by "+token.RevokedBy)
		}
		if token.Position.After(last) || token.Position.IsZero() {
			t.Errorf("partner token %s is at %s, and the feed at %s", token.ID, token.Position, last)
		}
	}
	if want := []string{"P2 by uid:7", "P3 by uid:7"}; !slices.Equal(ended, want) {
		t.Errorf("partner tokens %q are revoked, want %q", ended, want)
	}
	// A later void of all partner tokens ends the others.
	void(t, s, store.PrincipalAllPartnerTokens)
	f := follow(t, s)
	for _, token := range p.Tokens {
		if _, void := f.VoidedKey(store.PrincipalAllPartnerTokens, token.Position); !void {
			t.Errorf("partner token %s outlives the next void of all partner tokens", token.ID)
		}
	}
}

// restoredFeed checks that no position of the old feed is used again, and that the
// next start treats the store as one that came back older.
func restoredFeed(t *testing.T, source, target store.Store, file []byte) {
	t.Helper()
	r, err := backup.NewReader(bytes.NewReader(file))
	ok(t, err)
	entries, err := target.ReadFeed(t.Context(), store.Position{}, 0)
	ok(t, err)
	if at := r.Header.Position; at != newest(t, source) || at.Time == 0 && !entries[0].Position.After(at) {
		t.Errorf("the feed of the file ends at %s, that of the source at %s, and the target's begins at %s", at, newest(t, source), entries[0].Position)
	}
	l, err := target.FeedLineage(t.Context())
	ok(t, err)
	if l.Witnessed == "" || l.Witnessed == l.Current {
		t.Errorf("lineage %+v: a grantd would vouch for the restored store", l)
	}
	before := token(t, target, "a")
	f := feed.New(feed.Options{Store: target, Now: time.Now, Log: options.Log, MaxStaleness: time.Second})
	ok(t, f.Start(t.Context()))
	defer f.Stop()
	if _, void := f.Voided(digest(9), &before); !void {
		t.Error("after the next start, a token from before it is not void")
	}
}

// TestRestoreIsAllOrNothing lets the restore fail at each of its steps: no grantd may
// start with what is there.
func TestRestoreIsAllOrNothing(t *testing.T) {
	t.Parallel()
	source := onFile(t)
	fill(t, source)
	file := export(t, source)
	for _, operation := range []string{"AdvanceFeed", "AppendFeed", "Load", "AppendAudit", "WitnessFeed"} {
		target := storetest.NewFaulty(onFile(t))
		target.Fail(operation, store.ErrUnavailable)
		_, err := backup.Restore(t.Context(), target, bytes.NewReader(file), options)
		wants(t, "a restore without "+operation, err, store.ErrUnavailable)
		target.Heal(operation)
		wants(t, "the start after a restore without "+operation, target.Stamp(t.Context(), stamp), store.ErrForeign)
	}
	target := onFile(t)
	_, err := backup.Restore(t.Context(), target, bytes.NewReader(file[:len(file)-200]), options)
	wants(t, "a file that is cut", err, backup.ErrFile)
	wants(t, "the start with half of a file", target.Stamp(t.Context(), stamp), store.ErrForeign)
}

// TestBackupWhileTheStoreChanges checks that what was there before the copy began is
// in it, whatever happens meanwhile.
func TestBackupWhileTheStoreChanges(t *testing.T) {
	t.Parallel()
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := storetest.NewFaulty(open(t))
			fill(t, s)
			ended := newest(t, s)
			n := 0
			s.Hook("Dump", func() {
				n++
				id := string(rune('c' + n))
				ctx := context.WithoutCancel(t.Context())
				if err := errors.Join(
					s.Clients().Create(ctx, store.Client{ID: id, Head: head()}),
					s.Orgs().Delete(ctx, id, 1)); !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
				}
				if _, err := s.AppendFeed(ctx, store.Entry{Kind: store.EntryVoid, Key: store.PrincipalClient(id)}); err != nil {
					t.Error(err)
				}
			})
			file := export(t, s)
			s.Heal("Dump")
			r, err := backup.NewReader(bytes.NewReader(file))
			ok(t, err)
			if r.Header.Position != ended {
				t.Errorf("the copy is of position %s, want %s: of before it began", r.Header.Position, ended)
			}
			target := onFile(t)
			_, err = backup.Restore(t.Context(), target, bytes.NewReader(file), options)
			ok(t, err)
			for _, id := range []string{"a", "b"} {
				_, err := target.Clients().Get(t.Context(), id)
				ok(t, err)
			}
		})
	}
}

func TestExportOfAnEmptyStore(t *testing.T) {
	t.Parallel()
	_, err := backup.Export(t.Context(), onFile(t), new(bytes.Buffer), options)
	wants(t, "a store that no grantd has used", err, store.ErrNotFound)
}
