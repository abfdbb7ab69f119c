package partners

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTerms checks that a partner sees what it can use: the scopes that it may still
// have, and the endpoints and the end of the grant.
func TestTerms(t *testing.T) {
	w := newWorld(t)
	until := w.clock.Now().Add(time.Hour).UTC().Truncate(time.Second)
	spec := GrantSpec{Scope: "cards payments", Endpoints: []string{"GET /cards"}, Until: ptr(until.Format(time.RFC3339))}
	if _, _, err := w.PutGrant(t.Context(), operator, "hurdlr/acme", 0, spec); err != nil {
		t.Fatal(err)
	}
	w.putPartner(t, "payments accounts")
	orgs, more, err := w.onBehalf.ListOrgs(t.Context(), w.bearer(), "", 10)
	if err != nil || more || len(orgs) != 1 {
		t.Fatal(orgs, more, err)
	}
	got := orgs[0].Terms
	if !slices.Equal(got.Scopes, []string{"payments"}) || !slices.Equal(got.Endpoints, spec.Endpoints) || got.Until == nil || !got.Until.Equal(until) {
		t.Errorf("%+v", got)
	}
	p, err := w.onBehalf.Partner(t.Context(), w.bearer())
	if err != nil || !slices.Equal(p.Scopes, []string{"payments", "accounts"}) && !slices.Equal(p.Scopes, []string{"accounts", "payments"}) {
		t.Errorf("%+v, %v", p, err)
	}
	w.clock.Advance(time.Hour)
	if orgs, _, err := w.onBehalf.ListOrgs(t.Context(), w.bearer(), "", 10); err != nil || len(orgs) != 0 {
		t.Errorf("after the end: %v, %v", orgs, err)
	}
}

// A page with grants is bounded in bytes, and always goes on.
func TestCountFitting(t *testing.T) {
	long := Org{Terms: Terms{Endpoints: slices.Repeat([]string{strings.Repeat("x", 1<<10)}, 64)}}
	for _, row := range []struct {
		rule string
		orgs []Org
		want int
	}{
		{"none", nil, 0},
		{"a full page of short ones", make([]Org, maxOrgs), maxOrgs},
		{"long ones", slices.Repeat([]Org{long}, 10), 3},
		{"a first grant that is too long alone", []Org{{Terms: Terms{Endpoints: slices.Repeat(long.Terms.Endpoints, 9)}}, long}, 1},
	} {
		if got := countFitting(row.orgs); got != row.want {
			t.Errorf("%s: %d, want %d", row.rule, got, row.want)
		}
	}
}

// FuzzParseQuery checks that what is accepted is within its bounds, and that the link
// to the next page is accepted too.
func FuzzParseQuery(f *testing.F) {
	for _, raw := range []string{"", "include=grants", "include=", "page[size]=1&page[after]=a", "page%5Bsize%5D=0", "include=a&include=grants", "%"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(&url.URL{RawQuery: raw})
		if err != nil {
			if strings.Contains(err.Error(), raw) && len(raw) > 20 {
				t.Errorf("the error repeats the query: %v", err)
			}
			return
		}
		if q.size < 1 || q.size > maxOrgs {
			t.Errorf("size %d", q.size)
		}
		next, err := url.Parse(q.next("h5D8B5gyHtk="))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseQuery(next); err != nil || again.size != q.size || again.grants != q.grants || again.after != "h5D8B5gyHtk=" {
			t.Errorf("%s: %s", next, fmt.Sprint(again, err))
		}
	})
}
