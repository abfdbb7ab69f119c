package feed

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// memory is a feed that other replicas write to, and that can lose entries.
// Inside a synctest bubble it waits by the bubble's clock.
type memory struct {
	store.Store // nil: there is only the feed

	mu      sync.Mutex
	entries []store.Entry
	last    uint64 // positions are never used twice
	lineage store.Lineage
	grown   chan struct{}
	delay   func() // called between a read and its return
}

func (*memory) Clients() store.Clients               { return nil }
func (*memory) Orgs() store.Orgs                     { return nil }
func (*memory) Customers() store.Customers           { return nil }
func (*memory) Partners() store.Partners             { return nil }
func (*memory) PartnerTokens() store.PartnerTokens   { return nil }
func (*memory) APIKeys() store.APIKeys               { return nil }
func (*memory) Grants() store.Grants                 { return nil }
func (*memory) Holds() store.Holds                   { return nil }
func (*memory) NoticeQueues() store.NoticeQueues     { return nil }
func (*memory) SigningKeys() store.SigningKeyRecords { return nil }

func newMemory() *memory {
	return &memory{lineage: store.Lineage{Current: "run 1"}, grown: make(chan struct{})}
}

func (m *memory) AppendFeed(_ context.Context, entries ...store.Entry) (store.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		m.last++
		e.Position = store.Position{Seq: m.last}
		m.entries = append(m.entries, e)
	}
	close(m.grown)
	m.grown = make(chan struct{})
	return store.Position{Seq: m.last}, nil
}

func (m *memory) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		entries, grown, err := m.after(after)
		if err != nil || len(entries) > 0 || wait == 0 {
			m.mu.Lock()
			delay := m.delay
			m.mu.Unlock()
			if delay != nil {
				delay()
			}
			return entries, err
		}
		select {
		case <-grown:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (m *memory) after(p store.Position) (found []store.Entry, grown chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	here := p.IsZero()
	for _, e := range m.entries {
		here = here || e.Position == p
		if e.Position.After(p) && len(found) < store.FeedPage {
			found = append(found, e)
		}
	}
	if !here {
		err = store.ErrFeedLost
	}
	return found, m.grown, err
}

func (m *memory) FeedLineage(context.Context) (store.Lineage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lineage, nil
}

func (m *memory) WitnessFeed(_ context.Context, lineage string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lineage.Witnessed = lineage
	return nil
}

func (m *memory) Shared() bool { return true }

// lose drops the newest n entries.
func (m *memory) lose(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = m.entries[:len(m.entries)-n]
}

// restart makes it another incarnation with the same entries.
func (m *memory) restart(run string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lineage.Current = run
}

// slow makes every read wait, after it has looked, until release is called.
func (m *memory) slow() (release func()) {
	gate := make(chan struct{})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = func() { <-gate }
	return func() {
		m.mu.Lock()
		m.delay = nil
		m.mu.Unlock()
		close(gate)
	}
}

func (m *memory) witnessed() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lineage.Witnessed
}

// all returns every entry.
func (m *memory) all() []store.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]store.Entry(nil), m.entries...)
}

// options returns the options of a replica on s.
func options(s store.Store) Options {
	return Options{Store: s, Shared: s.Shared(), MaxStaleness: time.Second, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// loaded returns a feed that has loaded and does not follow.
func loaded(t *testing.T, o Options) *Feed {
	t.Helper()
	f := New(o)
	if err := f.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// started returns a feed that follows until the test calls stop.
func started(t *testing.T, o Options) (f *Feed, stop func()) {
	t.Helper()
	f = New(o)
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f, f.Stop
}

func void(client string) store.Entry {
	return store.Entry{Kind: store.EntryVoid, Key: store.PrincipalClient(client), By: "uid:0", At: time.Now().UTC()}
}

func change(client string) store.Entry {
	e := void(client)
	e.Kind = store.EntryChange
	return e
}

// appended appends entries as another replica would, and returns their position.
func appended(t *testing.T, s store.Feed, entries ...store.Entry) store.Position {
	t.Helper()
	p, err := s.AppendFeed(t.Context(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dead reports whether a token of the client that was minted at p is void.
func dead(f *Feed, client string, p store.Position) bool {
	_, void := f.Voided(store.Digest{}, &store.Token{Use: store.UseClient, ClientID: client, Position: p})
	return void
}
