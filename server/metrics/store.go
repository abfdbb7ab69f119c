package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grantd/grantd/store"
)

// Store measures every operation of the store it wraps, but for blocking
// reads of the feed, which mostly wait.
type Store struct {
	store.Store
	ops map[string]*operation

	clients       records[store.Client]
	orgs          records[store.Org]
	customers     records[store.Customer]
	partners      records[store.Partner]
	partnerTokens records[store.PartnerTokenOwner]
	grants        records[store.Grant]
}

// operation holds the three histograms of one operation, looked up once.
type operation struct{ ok, refused, unavailable prometheus.Observer }

func (o *operation) done(began time.Time, err error) {
	took := time.Since(began).Seconds()
	switch {
	case err == nil:
		o.ok.Observe(took)
	case errors.Is(err, store.ErrUnavailable):
		o.unavailable.Observe(took)
	default:
		o.refused.Observe(took)
	}
}

var operations = []string{
	"PutToken", "GetToken", "ReplaceToken",
	"PutChallenge", "TryChallenge", "DropChallenge", "TakeGuess", "ReturnGuess", "GetGuesses", "ResetGuesses",
	"AppendFeed", "ReadFeed", "FeedLineage", "WitnessFeed", "AddUses", "ListUses", "AddHits",
	"AppendAudit", "ListAudit", "Stamp", "EnsureTokenKey", "Ping",
}

// Measure wraps s.
func (m *Metrics) Measure(s store.Store) *Store {
	w := &Store{
		Store:         s,
		ops:           make(map[string]*operation, len(operations)),
		clients:       measureRecords(m, s.Clients(), store.ClientKind.Title),
		orgs:          measureRecords(m, s.Orgs(), store.OrgKind.Title),
		customers:     measureRecords(m, s.Customers(), store.CustomerKind.Title),
		partners:      measureRecords(m, s.Partners(), store.PartnerKind.Title),
		partnerTokens: measureRecords(m, s.PartnerTokens(), store.PartnerTokenKind.Title),
		grants:        measureRecords(m, s.Grants(), store.GrantKind.Title),
	}
	for _, name := range operations {
		w.ops[name] = m.operation(name)
	}
	return w
}

func (m *Metrics) operation(name string) *operation {
	return &operation{
		ok:          m.store.WithLabelValues(name, "ok"),
		refused:     m.store.WithLabelValues(name, "refused"),
		unavailable: m.store.WithLabelValues(name, "unavailable"),
	}
}

func do(s *Store, name string, f func() error) error {
	began := time.Now()
	err := f()
	s.ops[name].done(began, err)
	return err
}

func get[T any](s *Store, name string, f func() (T, error)) (T, error) {
	began := time.Now()
	v, err := f()
	s.ops[name].done(began, err)
	return v, err
}

// PutToken and GetToken are the hot paths: no closure.
func (s *Store) PutToken(ctx context.Context, d store.Digest, t store.Token) error {
	began := time.Now()
	err := s.Store.PutToken(ctx, d, t)
	s.ops["PutToken"].done(began, err)
	return err
}

func (s *Store) GetToken(ctx context.Context, d store.Digest) (store.Token, error) {
	began := time.Now()
	t, err := s.Store.GetToken(ctx, d)
	s.ops["GetToken"].done(began, err)
	return t, err
}

func (s *Store) ReplaceToken(ctx context.Context, d store.Digest, t store.Token) error {
	return do(s, "ReplaceToken", func() error { return s.Store.ReplaceToken(ctx, d, t) })
}

func (s *Store) AppendFeed(ctx context.Context, entries ...store.Entry) (store.Position, error) {
	return get(s, "AppendFeed", func() (store.Position, error) { return s.Store.AppendFeed(ctx, entries...) })
}

func (s *Store) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	if wait > 0 {
		return s.Store.ReadFeed(ctx, after, wait)
	}
	return get(s, "ReadFeed", func() ([]store.Entry, error) { return s.Store.ReadFeed(ctx, after, wait) })
}

func (s *Store) FeedLineage(ctx context.Context) (store.Lineage, error) {
	return get(s, "FeedLineage", func() (store.Lineage, error) { return s.Store.FeedLineage(ctx) })
}

func (s *Store) WitnessFeed(ctx context.Context, lineage string) error {
	return do(s, "WitnessFeed", func() error { return s.Store.WitnessFeed(ctx, lineage) })
}

func (s *Store) AddUses(ctx context.Context, uses []store.Use) error {
	return do(s, "AddUses", func() error { return s.Store.AddUses(ctx, uses) })
}

func (s *Store) ListUses(ctx context.Context, owner string) (map[string]store.Use, error) {
	return get(s, "ListUses", func() (map[string]store.Use, error) { return s.Store.ListUses(ctx, owner) })
}

func (s *Store) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	return get(s, "AddHits", func() ([]store.Count, error) { return s.Store.AddHits(ctx, hits...) })
}

func (s *Store) AppendAudit(ctx context.Context, events ...store.AuditEvent) error {
	return do(s, "AppendAudit", func() error { return s.Store.AppendAudit(ctx, events...) })
}

func (s *Store) ListAudit(ctx context.Context, before string, limit int) ([]store.AuditEvent, error) {
	return get(s, "ListAudit", func() ([]store.AuditEvent, error) { return s.Store.ListAudit(ctx, before, limit) })
}

func (s *Store) Stamp(ctx context.Context, stamp store.Stamp) error {
	return do(s, "Stamp", func() error { return s.Store.Stamp(ctx, stamp) })
}

func (s *Store) EnsureTokenKey(ctx context.Context, candidate store.TokenKey) ([]store.TokenKey, error) {
	return get(s, "EnsureTokenKey", func() ([]store.TokenKey, error) { return s.Store.EnsureTokenKey(ctx, candidate) })
}

func (s *Store) Ping(ctx context.Context) error {
	return do(s, "Ping", func() error { return s.Store.Ping(ctx) })
}
