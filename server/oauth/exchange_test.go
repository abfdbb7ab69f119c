package oauth

import (
	"errors"
	"testing"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// TestExchangeError checks that an exchange recognizes a refusal by its reason,
// whatever code and words the partners' endpoint has for it, and passes on what it
// does not know.
func TestExchangeError(t *testing.T) {
	cause := errors.New("revoked")
	refusal := apierr.New(apierr.Conflict, "words of another endpoint").At("member")
	for _, row := range []struct {
		rule string
		err  error
		want error
		code apierr.Code
	}{
		{"a partner token", refusal.WithReason(apierr.ErrPartnerToken).Because(cause), cause, apierr.InvalidRequest},
		{"an org", refusal.WithReason(apierr.ErrNotAgreed), errOrg, apierr.InvalidTarget},
		{"a scope", refusal.WithReason(apierr.ErrNotGranted), errNotGranted, apierr.InvalidScope},
		{"a malformed scope", refusal.WithReason(scopes.ErrSyntax), nil, apierr.InvalidScope},
		{"a quota", refusal, refusal, apierr.Conflict},
		{"a store that is down", store.ErrUnavailable, store.ErrUnavailable, ""},
	} {
		got := exchangeError(row.err)
		var e *apierr.Error
		if errors.As(got, &e); row.want != nil && !errors.Is(got, row.want) || e != nil && e.Code != row.code || e == nil && row.code != "" {
			t.Errorf("%s: %v", row.rule, got)
		}
	}
}
