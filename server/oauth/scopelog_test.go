package oauth

import (
	"errors"
	"testing"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/web"
)

// TestScopeWithComma: names with a comma between them have their own cause and words,
// and the log shows them if each is in the catalog.
func TestScopeWithComma(t *testing.T) {
	catalog, err := scopes.Load("")
	if err != nil {
		t.Fatal(err)
	}
	e := &Endpoints{o: Options{Catalogue: func() *scopes.Catalogue { return catalog }}}
	for requested, want := range map[string]struct {
		cause refusal.Cause
		shown string
	}{
		"users:read,users:write":                       {refusal.ScopeComma, "users:read,users:write"},
		"users:read users:read,users:write":            {refusal.ScopeComma, "users:read,users:write"},
		"users:read,hunter2":                           {refusal.ScopeComma, ""},
		"invoices:read":                                {refusal.ScopeUnknown, "invoices:read"},
		"gs_sandbox_Ab3dEf7h_0123456789abcdefghijklmn": {refusal.ScopeUnknown, ""},
	} {
		var ev web.Event
		_, err := catalog.Resolve(requested, []string{"users:read", "users:write"}, nil)
		e.noteScope(&ev, requested, nil, err)
		var is *apierr.Error
		if !errors.As(asInvalidScope(err), &is) || is.Code != apierr.InvalidScope || !errors.Is(is.Cause, want.cause) || ev.Scope != want.shown {
			t.Errorf("%s: %v, shown %q", requested, is, ev.Scope)
		}
	}
}
