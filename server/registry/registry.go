package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

const (
	// casTries is how often a change is tried when others change the same
	// record at the same time.
	casTries = 5
	// maxForm is the longest form of a record that goes into the feed, in bytes. A
	// longer one is known by its version only.
	maxForm = 32 << 10
	// changeTimeout bounds a change from the first read to the last replica.
	changeTimeout = 30 * time.Second
)

// Kind describes one kind of record to a Registry.
type Kind[R any] struct {
	store.Kind[R]
	Store store.Records[R]
	Valid func(id string) bool
	View  func(R) any // what the audit shows: no secrets
	// Stored returns the record as the store keeps it, which the feed may hold; nil:
	// as it is.
	Stored func(R) R
	// MaxForm is the longest form that goes into the feed, in bytes; 0: maxForm. It is
	// for records that others than operators make.
	MaxForm int
	// Uncached says that no Cache holds these records: the feed is not told
	// about a new one.
	Uncached bool
	// Tidy is called with each record before it is written, and drops what
	// ended long ago; nil: nothing.
	Tidy func(r *R, now time.Time)
	// End ends the tokens that the record itself holds. A void in the feed is
	// not enough for those: it is dropped after a day. nil: there are none.
	End func(r *R, by string, now time.Time)
	// EndMore is called when the tokens of the principal are void on every replica, and
	// ends what they made that such a void does not end. A call that is repeated calls it
	// again. nil: there is nothing of that sort.
	EndMore func(ctx context.Context, by audit.Actor, r R) error
	// Ended reports whether the record is one that ended for good; nil: no record is.
	Ended func(r *R, now time.Time) bool
	// Remove is called with a record that is void and about to be removed, and
	// removes what belongs to it. A deletion that is repeated calls it again.
	// nil: nothing belongs to it.
	Remove func(context.Context, R) error
}

// Registry changes the records of one kind. Safe for concurrent use.
type Registry[R any] struct {
	kind  Kind[R]
	feed  *feed.Feed
	audit *audit.Log
	now   func() time.Time

	absent, exists, changed, stale, unmet, held *apierr.Error
}

// New makes a Registry.
func New[R any](kind Kind[R], f *feed.Feed, log *audit.Log, now func() time.Time) *Registry[R] {
	article := "a"
	if kind.Name == "org" {
		article = "an"
	}
	say := func(code apierr.Code, format string, args ...any) *apierr.Error {
		return apierr.New(code, fmt.Sprintf(format, args...))
	}
	return &Registry[R]{
		kind: kind, feed: f, audit: log, now: now,
		absent:  say(apierr.NotFound, "there is no %s with this id", kind.Name),
		exists:  say(apierr.Conflict, "%s %s with this id already exists", article, kind.Name),
		changed: say(apierr.Conflict, "someone else changed the %s at the same time: try again", kind.Name),
		stale:   say(apierr.PreconditionFailed, "the %s has changed since it was read: read it again", kind.Name),
		held:    say(apierr.Conflict, "the %s is held back since the store came back older: look at it and release it (grantd store doctor)", kind.Name),
		unmet:   say(apierr.PreconditionFailed, "there is no %s with this id, and If-Match requires one", kind.Name),
	}
}

// Now returns the time as records hold it: whole seconds, UTC.
func (g *Registry[R]) Now() time.Time { return g.now().UTC().Truncate(time.Second) }

// NewHead returns the head of a record that is made now. No hold covers it.
func (g *Registry[R]) NewHead() store.Head {
	now := g.Now()
	h := store.Head{CreatedAt: now, UpdatedAt: now, Version: FirstVersion(g.now())}
	if hold := g.feed.Hold(); hold != nil {
		h.Confirmed = hold.Number
	}
	return h
}

// NewIncarnation returns a random number that distinguishes a record from earlier
// ones with the same id.
func NewIncarnation() uint64 { return 1 + uint64(rand.Uint32()) }

// versionBits is how many bits of a first version are random.
const versionBits = 11

// FirstVersion returns a version for a record that is made at the time now
// (invariant 3): milliseconds, then a random part. It is greater than those of
// earlier records with the same id, and small enough for every JSON parser.
func FirstVersion(now time.Time) uint64 {
	return uint64(now.UnixMilli())<<versionBits | uint64(rand.Uint32N(1<<versionBits))
}

// Version returns the version of the record.
func (g *Registry[R]) Version(r R) uint64 { return g.kind.Head(&r).Version }

// Get returns the record as the store has it. Errors: apierr.NotFound.
func (g *Registry[R]) Get(ctx context.Context, id string) (R, error) {
	if !g.kind.Valid(id) {
		return *new(R), g.absent
	}
	r, err := g.kind.Store.Get(ctx, id)
	return r, g.apiError(err)
}

// Announce appends the entries to the feed and waits for every replica.
// Without entries it does neither.
func (g *Registry[R]) Announce(ctx context.Context, entries ...store.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := g.feed.Append(ctx, entries...); err != nil {
		return err
	}
	return g.feed.Settle(ctx)
}

// Audit writes the audit event of a change that ended with err. It sets the
// actor, the outcome and, if there is none, the target, and puts the kind's name
// before the action.
func (g *Registry[R]) Audit(ctx context.Context, by audit.Actor, id string, c audit.Change, err error) {
	c.Actor, c.Action = by, g.kind.Name+"."+c.Action
	switch {
	case c.Target != "":
	case g.kind.Valid(id):
		c.Target = g.kind.Principal(id)
	default:
		c.Target = g.kind.Principal("?") // someone may have pasted a credential here
	}
	c.Outcome = audit.OutcomeOf(err)
	g.audit.Write(ctx, c)
}

// stateEntry returns a feed entry that says what the record is now. A store that
// comes back older does not undo it (invariant 11).
func (g *Registry[R]) stateEntry(kind store.EntryKind, r R, by string) store.Entry {
	e := store.Entry{Kind: kind, Key: g.kind.Principal(g.kind.ID(&r)), By: by, Version: g.Version(r)}
	if g.kind.Stored != nil {
		r = g.kind.Stored(r)
	}
	if form, err := g.kind.Marshal(r); err == nil && len(form) <= cmp.Or(g.kind.MaxForm, maxForm) {
		e.Form = string(form)
	}
	return e
}

// goneEntry returns a feed entry that says that the record with the version was
// deleted.
func (g *Registry[R]) goneEntry(id string, version uint64, by string) store.Entry {
	return store.Entry{Kind: store.EntryVoid, Key: g.kind.Principal(id), By: by, Version: version + 1, Gone: true}
}

// apiError turns an error of the store into the one that the caller gets.
func (g *Registry[R]) apiError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return g.absent
	case errors.Is(err, store.ErrConflict):
		return g.changed
	}
	return fmt.Errorf("%s: %w", g.kind.Name, err)
}

// IgnoreNotFound returns err, or nil if it says that there is no such record.
func IgnoreNotFound(err error) error {
	var e *apierr.Error
	if errors.Is(err, store.ErrNotFound) || errors.As(err, &e) && e.Code == apierr.NotFound {
		return nil
	}
	return err
}
