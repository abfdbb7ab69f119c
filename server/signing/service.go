package signing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

// system is the actor of what grantd does by itself.
var system = audit.Actor{Name: "system"}

// retryAfter is how long all callers get the error of a failure to make the first
// key: anybody may ask for the published keys.
const retryAfter = time.Second

// Options are what a Service needs.
type Options struct {
	Store store.SigningKeyRecords
	Feed  *feed.Feed
	Audit *audit.Log
	Now   func() time.Time
	Log   *slog.Logger
	// Since is told since when the key that signs has signed, when a new one is used and
	// once a minute.
	Since func(time.Time)
}

// Service holds the rules of signing keys. Every change is audited, and returns when
// every replica has applied it. Safe for concurrent use.
type Service struct {
	o       Options
	records *registry.Registry[store.SigningKeys]
	cache   *registry.Cache[store.SigningKeys]
	ready   atomic.Pointer[keys] // what was parsed last

	making   sync.Mutex // one change of a missing or held record at a time
	failure  error      // of the last such change
	failedAt time.Time

	rotating *trouble.Log
	cancel   context.CancelFunc
	done     chan struct{}
}

// keys are the keys of a record, ready for use.
type keys struct {
	record    *store.SigningKeys
	signs     key
	published []byte // the document of RFC 7517 §5
}

// New makes a Service. Start begins to rotate keys.
func New(o Options) *Service {
	kind := registry.Kind[store.SigningKeys]{
		Kind: store.SigningKeysKind, Store: o.Store,
		Valid: func(id string) bool { return id == store.SigningKeysID },
		View:  func(k store.SigningKeys) any { return viewOf(&k) },
	}
	return &Service{
		o: o, records: registry.New(kind, o.Feed, o.Audit, o.Now), cache: registry.NewCache(store.SigningKeysKind, o.Store, o.Feed),
		rotating: trouble.New(o.Log, "signing keys: the rotation failed, and will be tried again", "signing keys: the rotation works again"),
	}
}

// AppendSigned appends the claims of an introspection, signed, in the compact form of
// RFC 7515 §7.1. Errors: feed.ErrStale, store.ErrUnavailable.
func (s *Service) AppendSigned(ctx context.Context, b, claims []byte) ([]byte, error) {
	k, err := s.keys(ctx)
	if err != nil {
		return b, err
	}
	return k.signs.appendSigned(b, claims)
}

// AppendPublished appends the keys that verify what AppendSigned signs, as RFC 7517
// §5 has it. Errors: feed.ErrStale, store.ErrUnavailable.
func (s *Service) AppendPublished(ctx context.Context, b []byte) ([]byte, error) {
	k, err := s.keys(ctx)
	if err != nil {
		return b, err
	}
	return append(b, k.published...), nil
}

// keys returns the keys. It makes the first one if there is none.
func (s *Service) keys(ctx context.Context) (*keys, error) {
	found, err := s.cache.Get(ctx, store.SigningKeysID)
	if err != nil {
		return nil, err
	}
	record := found.Record
	if record == nil || record.Held() {
		if record, err = s.ensure(ctx); err != nil {
			return nil, err
		}
	}
	if k := s.ready.Load(); k != nil && (k.record == record || sameKeys(k.record, record)) {
		return k, nil
	}
	k, err := parse(record)
	if err == nil {
		s.ready.Store(k)
		s.tellSince(record)
	}
	return k, err
}

// sameKeys reports whether both records have the same keys. That the versions are the
// same does not say so: a store that came back older counts from its older version.
func sameKeys(a, b *store.SigningKeys) bool {
	return slices.EqualFunc(a.Keys, b.Keys, func(x, y store.SigningKey) bool { return x.ID == y.ID && x.Signs() == y.Signs() })
}

// parse makes the keys of a record ready. Errors: store.ErrUnknownRecord.
func parse(record *store.SigningKeys) (*keys, error) {
	k, set := &keys{record: record}, keySet{}
	for i := range record.Keys {
		stored := &record.Keys[i]
		parsed, public, err := parseKey(stored)
		if err != nil {
			return nil, err
		}
		if stored.Signs() {
			k.signs = parsed
		}
		set.Keys = append(set.Keys, public)
	}
	if k.signs.private == nil {
		return nil, fmt.Errorf("signing keys: %w: none of them signs", store.ErrUnknownRecord)
	}
	var err error
	k.published, err = json.Marshal(set)
	return k, err
}

// ensure makes the record if there is none. If the record is held back, ensure replaces
// all its keys: the store came back older, and nobody knows whether an operator had
// removed one of them because somebody else knows it.
func (s *Service) ensure(ctx context.Context) (*store.SigningKeys, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if found, err := s.cache.Get(ctx, store.SigningKeysID); err != nil || found.Record != nil && !found.Record.Held() {
		return found.Record, err // another caller made it meanwhile
	}
	if s.failure != nil && s.o.Now().Sub(s.failedAt).Abs() < retryAfter {
		return nil, s.failure
	}
	record, err := s.create(ctx)
	s.failure, s.failedAt = err, s.o.Now()
	return &record, err
}

func (s *Service) create(ctx context.Context) (store.SigningKeys, error) {
	fresh, err := newKey(s.records.Now())
	if err != nil {
		return store.SigningKeys{}, err
	}
	fresh.SignsSince = fresh.CreatedAt
	first := store.SigningKeys{ID: store.SigningKeysID, Keys: []store.SigningKey{fresh}, Head: s.records.NewHead()}
	record, _, err := s.records.Put(ctx, first, registry.Step[store.SigningKeys]{
		By: system, Action: "replace", ID: store.SigningKeysID, Target: func() string { return target(fresh.ID) },
		Edit: func(k *store.SigningKeys) error {
			if !k.Held() {
				return registry.ErrUnchanged
			}
			k.Keys, k.Confirmed = first.Keys, first.Confirmed
			k.HeldBack, k.UnderHold = false, false
			return nil
		},
	})
	return record, err
}
