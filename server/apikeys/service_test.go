package apikeys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// A key has the form of its kind, and is found as what it is for: with the org as its
// subject, and no client.
func TestKey(t *testing.T) {
	w := newWorld(t)
	c := w.key(t, func(s *Spec) {
		s.Scope, s.SourceIPs = "cards customers", []string{"192.0.2.7"}
		s.Resources = []store.Resource{{Type: "card", IDs: []string{"12"}}}
	})
	if !strings.HasPrefix(c.Key, "gk_sandbox_"+c.ID+"_") || len(c.Key) != len("gk_sandbox_")+8+1+43 {
		t.Errorf("form of the key with id %q", c.ID)
	}
	f := w.find(t, c.Key)
	if f.Token == nil || f.ID() != c.ID {
		t.Fatalf("%+v", f)
	}
	want := &store.Token{
		Use: store.UseKey, OrgID: "acme", KeyID: c.ID, Scopes: "cards customers", SourceIPs: []string{"192.0.2.7"},
		Resources: []store.Resource{{Type: "card", IDs: []string{"12"}}}, IssuedAt: c.CreatedAt, ExpiresAt: c.CreatedAt.Add(90 * day), Position: f.Mark.Position,
	}
	if d := cmp.Diff(want, f.Token); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if tokens.Subject(f.Token) != "org:acme" {
		t.Error("its subject is not the org")
	}
	before := w.reads.Load()
	if w.find(t, c.Key).Source != tokens.FromCache || w.reads.Load() != before {
		t.Errorf("the second look-up reads the store")
	}
	stored, err := w.store.APIKeys().Get(t.Context(), c.ID)
	if err != nil || strings.Contains(fmt.Sprint(stored), c.Key[20:]) || stored.CreatedBy != "uid:0" {
		t.Errorf("the record is wrong, or has the key: %v", err)
	}
}

// grantd does not accept a key as the bearer of a call, whatever it would accept.
func TestKeyIsNoBearer(t *testing.T) {
	w := newWorld(t)
	c := w.key(t, nil)
	for _, uses := range [][]store.TokenUse{{store.UseClient}, {store.UseClient, store.UseCustomer}, {store.UsePartner}} {
		if f, err := w.tokens.FindBearer(t.Context(), c.Key, anywhere, uses...); err != nil || f.Token != nil || f.ID() != c.ID {
			t.Errorf("%v: token %v, id %q, error %v", uses, f.Token, f.ID(), err)
		}
	}
	if _, err := w.tokens.RevokeOwn(t.Context(), c.Key, "backend", func(string) error { return nil }); !errors.Is(err, tokens.ErrNotYours) {
		t.Errorf("a client revokes it as its own: %v", err)
	}
}

func TestSpecRejections(t *testing.T) {
	w := newWorld(t)
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprintf("10.0.0.%d", i)
	}
	ids := make([]string, 257)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	card := func(ids ...string) store.Resource { return store.Resource{Type: "card", IDs: ids} }
	for rule, row := range map[string]struct {
		edit   func(*Spec)
		code   apierr.Code
		member string
	}{
		"no owner":                   {func(s *Spec) { s.Owner = "" }, apierr.InvalidRequest, "owner"},
		"an owner that is no id":     {func(s *Spec) { s.Owner = "a b" }, apierr.InvalidRequest, "owner"},
		"a key as the owner":         {func(s *Spec) { s.Owner = "gk_sandbox_Ab3dEf7h_" + strings.Repeat("A", 43) }, apierr.InvalidRequest, "owner"},
		"no name":                    {func(s *Spec) { s.Name = "" }, apierr.InvalidRequest, "name"},
		"a name of two lines":        {func(s *Spec) { s.Name = "a\nb" }, apierr.InvalidRequest, "name"},
		"a long name":                {func(s *Spec) { s.Name = strings.Repeat("a", 256) }, apierr.InvalidRequest, "name"},
		"no scope":                   {func(s *Spec) { s.Scope = "" }, apierr.InvalidScope, "scope"},
		"an unknown scope":           {func(s *Spec) { s.Scope = "cards nothing" }, apierr.InvalidScope, "scope"},
		"introspect":                 {func(s *Spec) { s.Scope = "cards introspect" }, apierr.InvalidScope, "scope"},
		"admin:read":                 {func(s *Spec) { s.Scope = "admin:read" }, apierr.InvalidScope, "scope"},
		"making keys":                {func(s *Spec) { s.Scope = "api-tokens-write" }, apierr.InvalidScope, "scope"},
		"listing keys":               {func(s *Spec) { s.Scope = "api-tokens" }, apierr.InvalidScope, "scope"},
		"no lifetime":                {func(s *Spec) { s.Lifetime = ptr("") }, apierr.InvalidRequest, "lifetime"},
		"too short":                  {func(s *Spec) { s.Lifetime = ptr("59s") }, apierr.InvalidRequest, "lifetime"},
		"too long":                   {func(s *Spec) { s.Lifetime = ptr("366d") }, apierr.InvalidRequest, "lifetime"},
		"no address":                 {func(s *Spec) { s.SourceIPs = []string{"x"} }, apierr.InvalidRequest, "source_ips"},
		"too many addresses":         {func(s *Spec) { s.SourceIPs = many }, apierr.InvalidRequest, "source_ips"},
		"an unknown resource type":   {func(s *Spec) { s.Resources = []store.Resource{{Type: "loan", IDs: []string{"1"}}} }, apierr.InvalidRequest, "resources"},
		"a resource without ids":     {func(s *Spec) { s.Resources = []store.Resource{card()} }, apierr.InvalidRequest, "resources"},
		"a resource type twice":      {func(s *Spec) { s.Resources = []store.Resource{card("1"), card("2")} }, apierr.InvalidRequest, "resources"},
		"a resource id that is none": {func(s *Spec) { s.Resources = []store.Resource{card("a b")} }, apierr.InvalidRequest, "resources"},
		"too many resources":         {func(s *Spec) { s.Resources = []store.Resource{card(ids...)} }, apierr.InvalidRequest, "resources"},
		"too long resources": {func(s *Spec) {
			s.Resources = []store.Resource{card(slices.Repeat([]string{strings.Repeat("1", 128)}, 17)...)}
		}, apierr.InvalidRequest, "resources"},
	} {
		s := Spec{Owner: "2", Name: "report", Scope: "cards"}
		row.edit(&s)
		_, err := w.Create(t.Context(), operator, "acme", s)
		wants(t, rule, err, row.code, row.member)
	}
	for rule, org := range map[string]string{"an unknown org": "nobody", "no org id": "a b", "an empty org": ""} {
		_, err := w.Create(t.Context(), operator, org, Spec{Owner: "2", Name: "report", Scope: "cards"})
		wants(t, rule, err, apierr.NotFound, "")
	}
	w.changeOrg(t, "acme", func(o *store.Org) { o.DeactivatedAt = ptr(w.clock.Now()) })
	_, err := w.Create(t.Context(), operator, "acme", Spec{Owner: "2", Name: "report", Scope: "cards"})
	wants(t, "a deactivated org", err, apierr.Conflict, "")
	w.changeOrg(t, "acme", func(o *store.Org) { o.DeactivatedAt, o.HeldBack = nil, true })
	_, err = w.Create(t.Context(), operator, "acme", Spec{Owner: "2", Name: "report", Scope: "cards"})
	wants(t, "an org that is held back", err, apierr.Conflict, "")
	if err == nil || !strings.Contains(err.Error(), "grantd store doctor") {
		t.Errorf("the error for an org that is held back does not say what to do: %v", err)
	}
	if n := w.store.Calls("CreateAPIKey"); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

// A scope's longest lifetime holds for keys too: it shortens a key whose end was not
// chosen, and refuses another one.
func TestScopeLife(t *testing.T) {
	w := newWorld(t)
	var err error
	if w.catalogue, err = scopes.Decode([]byte("- {name: cards, ttl: 15m}\n- {name: free}\n")); err != nil {
		t.Fatal(err)
	}
	c := w.key(t, nil)
	if got := c.ExpiresAt.Sub(c.CreatedAt); got != 15*time.Minute {
		t.Errorf("it lives for %s", got)
	}
	_, err = w.Create(t.Context(), operator, "acme", Spec{Owner: "2", Name: "report", Scope: "free cards", Lifetime: ptr("16m")})
	wants(t, "longer", err, apierr.InvalidScope, "scope")
	w.key(t, func(s *Spec) { s.Lifetime = ptr("15m") })
}

// TestKeyEnds shows everything that ends a key, at once and for good.
func TestKeyEnds(t *testing.T) {
	end := func(o *store.Org, w *world) { o.EndKeys("uid:0", w.clock.Now()) }
	for rule, row := range map[string]struct {
		do    func(t *testing.T, w *world, c Created)
		state tokens.State
		undo  func(t *testing.T, w *world) // must not revive it
	}{
		"revoked": {do: func(t *testing.T, w *world, c Created) {
			wants(t, "revoke", w.Revoke(t.Context(), operator, c.ID), "", "")
		}, state: tokens.StateRevoked},
		"org voided": {do: func(t *testing.T, w *world, _ Created) { w.changeOrg(t, "acme", func(o *store.Org) { end(o, w) }) }, state: tokens.StateVoid},
		"org deactivated": {
			do: func(t *testing.T, w *world, _ Created) {
				w.changeOrg(t, "acme", func(o *store.Org) { o.DeactivatedAt = ptr(w.clock.Now()); end(o, w) })
			},
			state: tokens.StateVoid,
			undo:  func(t *testing.T, w *world) { w.changeOrg(t, "acme", func(o *store.Org) { o.DeactivatedAt = nil }) },
		},
		"org made again": {do: func(t *testing.T, w *world, _ Created) { w.putOrg(t, "acme") }, state: tokens.StateVoid},
		"org held back": {do: func(t *testing.T, w *world, _ Created) {
			w.changeOrg(t, "acme", func(o *store.Org) { o.HeldBack = true })
		}, state: tokens.StateHeldBack},
		"void of all keys": {do: func(t *testing.T, w *world, _ Created) {
			if err := w.feed.Append(t.Context(), store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAllKeys, By: "uid:0"}); err != nil {
				t.Fatal(err)
			}
		}, state: tokens.StateVoid},
		"void of all keys, in the records": {do: func(t *testing.T, w *world, _ Created) { wants(t, "void", w.VoidAll(t.Context(), operator), "", "") }, state: tokens.StateRevoked},
		"expired":                          {do: func(_ *testing.T, w *world, _ Created) { w.clock.Advance(time.Hour) }, state: tokens.StateExpired},
	} {
		t.Run(rule, func(t *testing.T) {
			w := newWorld(t)
			c := w.key(t, func(s *Spec) { s.Lifetime = ptr("1h") })
			w.works(t, "before", c.Key, true)
			row.do(t, w, c)
			w.works(t, "after", c.Key, false)
			x, err := w.tokens.Explain(t.Context(), c.Key)
			if err != nil || x.State != row.state || x.ID != c.ID || x.KeyOwner != "2" || x.Use != store.UseKey {
				t.Errorf("%+v, error %v", x, err)
			}
			byID, ok, err := w.tokens.ExplainID(t.Context(), c.ID)
			if d := cmp.Diff(x, byID); err != nil || !ok || d != "" {
				t.Errorf("by id: %v, error %v\n%s", ok, err, d)
			}
			if row.undo != nil {
				row.undo(t, w)
				w.works(t, "after it was undone", c.Key, false)
			}
		})
	}
}

// Other keys than the one that was made do not work, however similar.
func TestKeysThatAreNone(t *testing.T) {
	w := newWorld(t)
	a, b := w.key(t, nil), w.key(t, nil)
	for rule, presented := range map[string]string{
		"id of another": strings.Replace(a.Key, a.ID, b.ID, 1), "live": strings.Replace(a.Key, "sandbox", "live", 1), "a partner token": "gp" + a.Key[2:],
		"cut": a.Key[:len(a.Key)-1], "longer": a.Key + "A", "capitals": "GK" + a.Key[2:],
	} {
		w.works(t, rule, presented, false)
		if _, _, ok, err := w.RevokePresented(t.Context(), operator, presented); ok || err != nil {
			t.Errorf("%s: revoked %v, %v", rule, ok, err)
		}
	}
	w.works(t, "the key", a.Key, true)
}

// An owner has 20 keys that work, and an org 500. Keys that ended do not count, and
// are forgotten after 30 days.
func TestBounds(t *testing.T) {
	w := newWorld(t)
	var last Created
	for range maxLiveOfOwner {
		last = w.key(t, nil)
	}
	again := func(owner string) error {
		_, err := w.Create(t.Context(), operator, "acme", Spec{Owner: owner, Name: "report", Scope: "cards"})
		return err
	}
	wants(t, "one more of the owner", again("2"), apierr.Conflict, "")
	wants(t, "of another owner", again("3"), "", "")
	wants(t, "revoke", w.Revoke(t.Context(), operator, last.ID), "", "")
	wants(t, "after one was revoked", again("2"), "", "")
	w.clock.Advance(keepEnded + day)
	w.key(t, func(s *Spec) { s.Owner = "3" })
	if _, err := w.store.APIKeys().Get(t.Context(), last.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a key that ended long ago: %v", err)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	a := w.key(t, func(s *Spec) { s.Lifetime = ptr("5d") })
	b := w.key(t, func(s *Spec) { s.Owner = "3" })
	if _, err := w.Create(t.Context(), operator, "other", Spec{Owner: "2", Name: "n", Scope: "cards"}); err != nil {
		t.Fatal(err)
	}
	wants(t, "revoke", w.Revoke(t.Context(), operator, b.ID), "", "")
	ids := func(f Filter) (ids []string) {
		list, _, err := w.List(t.Context(), f, "", 10)
		wants(t, "list", err, "", "")
		for _, k := range list {
			ids = append(ids, k.OrgID+"/"+k.Owner+" "+string(k.State))
		}
		slices.Sort(ids)
		return ids
	}
	of := func(org string) (f Filter) { f.Group = org; return f }
	all := of("acme")
	all.AnyState = true
	soon := Filter{Filter: secretwatch.Filter{EndsBefore: w.clock.Now().Add(7 * day)}}
	for rule, row := range map[string]struct {
		f    Filter
		want []string
	}{
		"those that work": {Filter{}, []string{"acme/2 active", "other/2 active"}},
		"of an org":       {of("acme"), []string{"acme/2 active"}},
		"of any state":    {all, []string{"acme/2 active", "acme/3 ended"}},
		"of an owner":     {Filter{Owner: "3", Filter: all.Filter}, []string{"acme/3 ended"}},
		"that end soon":   {soon, []string{"acme/2 active"}},
	} {
		if d := cmp.Diff(row.want, ids(row.f)); d != "" {
			t.Errorf("%s (-want +got):\n%s", rule, d)
		}
	}
	k, err := w.Registry.Get(t.Context(), a.ID)
	wants(t, "get", err, "", "")
	if v, err := w.Show(t.Context(), k); err != nil || v.State != secretwatch.Active {
		t.Errorf("%+v %v", v, err)
	}
	wants(t, "remove", w.RemoveOfOrg(t.Context(), "acme"), "", "")
	if got := ids(all); len(got) != 0 {
		t.Errorf("after the keys of the org were removed: %v", got)
	}
	if got := ids(of("other")); len(got) != 1 {
		t.Errorf("of another org: %v", got)
	}
}
