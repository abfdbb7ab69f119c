package apikeys

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/store"
)

func TestRequestRejections(t *testing.T) {
	w := newWorld(t)
	at := func(d time.Duration) *string { return ptr(w.clock.Now().Add(d).Format(time.RFC3339)) }
	for rule, row := range map[string]struct {
		edit   func(*Request)
		code   apierr.Code
		member string
	}{
		"no description":           {func(r *Request) { r.Description = nil }, apierr.InvalidRequest, "description"},
		"a description of 2 lines": {func(r *Request) { r.Description = ptr("a\nb") }, apierr.InvalidRequest, "description"},
		"a credential":             {func(r *Request) { r.Description = ptr("for gk_sandbox_Ab3dEf7h_" + strings.Repeat("A", 43)) }, apierr.InvalidRequest, "description"},
		"no scope":                 {func(r *Request) { r.Scope = nil }, apierr.InvalidScope, "scope"},
		"an empty scope":           {func(r *Request) { r.Scope = ptr("") }, apierr.InvalidScope, "scope"},
		"a scope that is not held": {func(r *Request) { r.Scope = ptr("cards payments") }, apierr.InsufficientScope, "scope"},
		"an unknown scope":         {func(r *Request) { r.Scope = ptr("nothing") }, apierr.InvalidScope, "scope"},
		"a scope for making keys":  {func(r *Request) { r.Scope = ptr("cards api-tokens-write") }, apierr.InvalidScope, "scope"},
		"introspect":               {func(r *Request) { r.Scope = ptr("introspect") }, apierr.InvalidScope, "scope"},
		"admin:write":              {func(r *Request) { r.Scope = ptr("admin:write") }, apierr.InvalidScope, "scope"},
		"an end in the past":       {func(r *Request) { r.Expiration = at(-time.Hour) }, apierr.InvalidRequest, "expiration"},
		"an end now":               {func(r *Request) { r.Expiration = at(0) }, apierr.InvalidRequest, "expiration"},
		"an end in 366 days":       {func(r *Request) { r.Expiration = at(366 * day) }, apierr.InvalidRequest, "expiration"},
		"an end in another form":   {func(r *Request) { r.Expiration = ptr("2027-01-31") }, apierr.InvalidRequest, "expiration"},
		"an end without a zone":    {func(r *Request) { r.Expiration = ptr("2027-01-31T13:47:17") }, apierr.InvalidRequest, "expiration"},
		"an empty end":             {func(r *Request) { r.Expiration = ptr("") }, apierr.InvalidRequest, "expiration"},
		"an address with a blank":  {func(r *Request) { r.SourceIP = ptr("192.0.2.1, 192.0.2.2") }, apierr.InvalidRequest, "sourceIp"},
		"an empty address":         {func(r *Request) { r.SourceIP = ptr("") }, apierr.InvalidRequest, "sourceIp"},
		"too many addresses":       {func(r *Request) { r.SourceIP = ptr(strings.TrimSuffix(strings.Repeat("192.0.2.1,", 33), ",")) }, apierr.InvalidRequest, "sourceIp"},
		"no resources":             {func(r *Request) { r.Resources = []store.Resource{} }, apierr.InvalidRequest, "resources"},
		"an unknown resource type": {func(r *Request) { r.Resources = []store.Resource{{Type: "loan", IDs: []string{"1"}}} }, apierr.InvalidRequest, "resources"},
	} {
		r := Request{Description: ptr("report"), Scope: ptr("cards")}
		row.edit(&r)
		_, _, err := w.createFor(t.Context(), w.bearer("acme"), "2", r)
		wants(t, rule, err, row.code, row.member)
	}
	_, _, err := w.createFor(t.Context(), w.bearer("acme"), "gk_sandbox_Ab3dEf7h_"+strings.Repeat("A", 43), Request{Description: ptr("report"), Scope: ptr("cards")})
	wants(t, "a key as the owner", err, apierr.InvalidRequest, "")
}

// A key reaches no further than the token that it was made with.
func TestKeyOfAClient(t *testing.T) {
	w := newWorld(t)
	b := w.bearer("acme")
	b.token.Audience, b.token.SourceIPs = []string{"https://a.example"}, []string{"192.0.2.0/24"}
	r := Request{Description: ptr("report"), Scope: ptr("cards"), Expiration: ptr(w.clock.Now().Add(365 * day).UTC().Format("2006-01-02T15:04:05.000Z"))}
	_, k, err := w.createFor(t.Context(), b, "2", r)
	wants(t, "make", err, "", "")
	if !slices.Equal(k.Audience, b.token.Audience) || !slices.Equal(k.SourceIPs, b.token.SourceIPs) || k.OrgID != "acme" || k.CreatedBy != "client:backend" || k.MadeWith.SecretID != "Ab3dEf7h" {
		t.Errorf("%+v", k)
	}
	for source, code := range map[string]apierr.Code{"192.0.2.7": "", "192.0.2.0/25,192.0.2.9": "", "198.51.100.1": apierr.AccessDenied, "192.0.2.7,198.51.100.1": apierr.AccessDenied, "192.0.0.0/16": apierr.AccessDenied, "2001:db8::1": apierr.AccessDenied} {
		r.SourceIP = &source
		_, _, err := w.createFor(t.Context(), b, "2", r)
		member := ""
		if code != "" {
			member = "sourceIp"
		}
		wants(t, source, err, code, member)
	}
}

// A client sees and ends the keys of its org only, and of the owner in the path.
func TestKeysOfOthers(t *testing.T) {
	w := newWorld(t)
	k := w.key(t, nil)
	for rule, row := range map[string]struct {
		org, owner, id string
		code           apierr.Code
	}{
		"another org":   {"other", "2", k.ID, apierr.NotFound},
		"another owner": {"acme", "3", k.ID, apierr.NotFound},
		"an unknown id": {"acme", "2", "Zz9Zz9Zz", apierr.NotFound},
		"no id":         {"acme", "2", "x", apierr.NotFound},
	} {
		_, err := w.revokeOf(t.Context(), w.bearer(row.org), row.owner, row.id)
		wants(t, rule, err, row.code, "")
	}
	_, err := w.liveOf(t.Context(), "other", "2")
	wants(t, "the list of another org", err, apierr.NotFound, "")
	_, err = w.liveOf(t.Context(), "acme", "3")
	wants(t, "the list of another owner", err, apierr.NotFound, "")
	if list, err := w.liveOf(t.Context(), "acme", "2"); err != nil || len(list) != 1 {
		t.Errorf("%d keys, %v", len(list), err)
	}
	for range 2 {
		_, err := w.revokeOf(t.Context(), w.bearer("acme"), "2", k.ID)
		wants(t, "its own", err, "", "")
	}
	w.works(t, "after that", k.Key, false)
	if list, err := w.liveOf(t.Context(), "acme", "2"); err != nil || len(list) != 0 {
		t.Errorf("after that: %d keys, %v", len(list), err)
	}
}

// FuzzRequest shows that whatever is accepted has an end within a year, and addresses
// that can be read.
func FuzzRequest(f *testing.F) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	s := &Service{o: Options{Catalogue: scopes.Default}}
	f.Add("2027-01-31T13:47:17.000Z", "192.0.2.1,10.0.0.0/8")
	f.Add("2027-01-31T13:47:17+23:59", "::1")
	f.Add("9999-12-31T23:59:60Z", ",")
	f.Fuzz(func(t *testing.T, expiration, sourceIP string) {
		in, err := Request{Description: ptr("d"), Scope: ptr("cards"), Expiration: &expiration, SourceIP: &sourceIP}.parse()
		if err != nil || s.checkLife(&in, now) != nil {
			return
		}
		if life := in.end.Sub(now); life < minLifetime || life > maxLifetime {
			t.Errorf("it lives for %s", life)
		}
		for _, r := range in.sourceIPs {
			if _, err := field.ParseRange(r); err != nil {
				t.Errorf("range %q", r)
			}
		}
	})
}
