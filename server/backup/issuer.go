package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Reissued is the result of SetIssuer.
type Reissued struct {
	Environment string `json:"environment"`
	Issuer      string `json:"issuer"`
	Was         string `json:"was"`
}

// SetIssuer gives the store another issuer. No process may serve with it. Tokens that
// were issued before keep the issuer that they were issued under until they end: all
// of them have an earlier position than the entry that is appended here. Errors:
// store.ErrNotFound, store.ErrConflict, store.ErrUnavailable.
func SetIssuer(ctx context.Context, s store.Store, issuer string, o Options) (Reissued, error) {
	was, err := s.ReadStamp(ctx)
	if err != nil {
		return Reissued{}, fmt.Errorf("the store is empty: %w", err)
	}
	r := Reissued{Environment: was.Environment, Issuer: issuer, Was: was.Issuer}
	if was.Issuer == issuer {
		return r, nil
	}
	if was.Format > store.Format {
		return r, store.ErrNewerFormat
	}
	at, err := appendMarker(ctx, s, o)
	if err != nil {
		return r, err
	}
	next := was
	next.Issuer, next.Former = issuer, formerAfter(was, at, o.Now())
	if err := s.Restamp(ctx, was, next); err != nil {
		return r, err
	}
	return r, o.Audit(ctx, s, audit.Change{Action: "store.set_issuer", After: map[string]any{"issuer": issuer, "was": was.Issuer}})
}

// formerAfter returns the former issuers that tokens may still have once the issuer
// of the stamp is replaced. An empty one was the address that a sandbox listened on;
// nobody knows it.
func formerAfter(was store.Stamp, at store.Position, now time.Time) []store.FormerIssuer {
	former := slices.DeleteFunc(slices.Clone(was.Former), func(f store.FormerIssuer) bool { return now.Sub(f.At) > store.FeedRetention })
	if was.Issuer != "" {
		former = append(former, store.FormerIssuer{Issuer: was.Issuer, Until: at, At: now.UTC().Truncate(time.Second)})
	}
	return former
}
