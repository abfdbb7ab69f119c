package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

func TestSpecRejections(t *testing.T) {
	long := strings.Repeat("x", 600)
	many := slices.Repeat([]string{"10.0.0.0/8"}, maxListItems+1)
	var boundTo []string
	for i := range maxBoundTo + 1 {
		boundTo = append(boundTo, fmt.Sprint("10.0.0.", i))
	}
	uris := slices.Repeat([]string{"https://a.example"}, maxResources+1)
	inWorld(t, func(t *testing.T, w *world) {
		for _, row := range []struct {
			rule, field string
			spec        NewSpec
		}{
			{"an id with a slash", "client_id", NewSpec{ClientID: "a/b"}},
			{"an id that is too long", "client_id", NewSpec{ClientID: long}},
			{"an org's id with a colon", "org_id", NewSpec{OrgID: "a:b"}},
			{"a name that is too long", "name", NewSpec{Spec: Spec{Name: to(long)}}},
			{"a name that is not UTF-8", "name", NewSpec{Spec: Spec{Name: to("\xff")}}},
			{"an unknown scope", "scope", NewSpec{Spec: Spec{Scope: to("c:read")}}},
			{"an unknown default scope", "default_scope", NewSpec{Spec: Spec{DefaultScope: to("c:read")}}},
			{"a default scope that scope lacks", "default_scope", NewSpec{Spec: Spec{Scope: to("a:read"), DefaultScope: to("b:read")}}},
			{"a TTL that is too short", "token_ttl", NewSpec{Spec: Spec{TokenTTL: to[int64](59)}}},
			{"a TTL that is too long", "token_ttl", NewSpec{Spec: Spec{TokenTTL: to[int64](86401)}}},
			{"a TTL that overflows", "token_ttl", NewSpec{Spec: Spec{TokenTTL: to[int64](1 << 62)}}},
			{"a negative TTL", "token_ttl", NewSpec{Spec: Spec{TokenTTL: to[int64](-60)}}},
			{"an unknown method", "auth_methods", NewSpec{Spec: Spec{AuthMethods: &[]string{"none"}}}},
			{"a range that is none", "source_ips", NewSpec{Spec: Spec{SourceIPs: &[]string{"10.0.0.0/33"}}}},
			{"too many ranges", "source_ips", NewSpec{Spec: Spec{SourceIPs: &many}}},
			{"bound to nothing", "bind_source_ip", NewSpec{Spec: Spec{BindSourceIP: to(true)}}},
			{"bound to an empty list", "bind_source_ip", NewSpec{Spec: Spec{BindSourceIP: to(true), SourceIPs: &[]string{}}}},
			{"bound to a zone", "source_ips", NewSpec{Spec: Spec{BindSourceIP: to(true), SourceIPs: &[]string{"fe80::1%eth0"}}}},
			{"bound to too many ranges", "source_ips", NewSpec{Spec: Spec{BindSourceIP: to(true), SourceIPs: &boundTo}}},
			{"a relative resource", "resources", NewSpec{Spec: Spec{Resources: &[]string{"/a"}}}},
			{"a resource with a fragment", "resources", NewSpec{Spec: Spec{Resources: &[]string{"https://a.example#"}}}},
			{"a resource that is too long", "resources", NewSpec{Spec: Spec{Resources: &[]string{"https://" + long}}}},
			{"too many resources", "resources", NewSpec{Spec: Spec{Resources: &uris}}},
			{"an unknown enforcement", "enforces", NewSpec{Spec: Spec{Enforces: &[]string{"time"}}}},
			{"an unknown use", "token_uses", NewSpec{Spec: Spec{TokenUses: &[]store.TokenUse{"other"}}}},
			{"a relative resource", "resource", NewSpec{Spec: Spec{Resource: to("a")}}},
		} {
			_, err := w.Create(t.Context(), by, row.spec)
			refused(t, row.rule, err, apierr.InvalidRequest, row.field)
		}
		if n := w.Calls("CreateClient"); n != 0 {
			t.Errorf("%d clients written", n)
		}
	})
}

// Absent fields stay as they are; repeated items are kept once.
func TestSpecChangesWhatItGives(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c, err := w.Create(t.Context(), by, NewSpec{ClientID: "billing", Spec: Spec{
			Name: to("Billing"), Scope: to("b:read a:read"), TokenTTL: to[int64](86400), SourceIPs: &[]string{"10.0.0.0/8", "10.0.0.0/8"},
		}})
		refused(t, "create", err, "", "")
		if len(c.SourceIPs) != 1 || *c.TokenTTL != 86400 || c.Resources == nil {
			t.Errorf("%+v", c.View)
		}
		v, err := w.Update(t.Context(), by, "billing", 0, Spec{TokenTTL: to[int64](0)})
		refused(t, "update", err, "", "")
		if v.Name != "Billing" || v.Scope != c.Scope || v.TokenTTL != nil || len(v.SourceIPs) != 1 {
			t.Errorf("%+v", v)
		}
	})
}

// Narrowing takes scopes out of the defaults, but never all of them.
func TestNarrowingTheDefaults(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, err := w.Create(t.Context(), by, NewSpec{ClientID: "billing", Spec: Spec{Scope: to("a:read a:write b:read"), DefaultScope: to("a:read b:read")}})
		refused(t, "create", err, "", "")
		v, err := w.Update(t.Context(), by, "billing", 0, Spec{Scope: to("a:write b:read")})
		refused(t, "one default is left", err, "", "")
		if v.DefaultScope != "b:read" {
			t.Errorf("default scope %q", v.DefaultScope)
		}
		_, err = w.Update(t.Context(), by, "billing", 0, Spec{Scope: to("a:write")})
		refused(t, "none is left", err, apierr.InvalidRequest, "default_scope")
		v, err = w.Update(t.Context(), by, "billing", 0, Spec{Scope: to("a:write"), DefaultScope: to("")})
		refused(t, "none is wanted", err, "", "")
		if v.Scope != "a:write" || v.DefaultScope != "" {
			t.Errorf("%+v", v)
		}
	})
}

// The tokens of a client are bound to its addresses, in the form that tokens carry, and
// the last address stays as long as they are.
func TestBinding(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, err := w.Create(t.Context(), by, NewSpec{ClientID: "billing", Spec: Spec{Scope: to("a:read"), SourceIPs: &[]string{"10.1.2.3/8", "::ffff:192.0.2.1", "192.0.2.1/32", "2001:DB8::/32"}}})
		refused(t, "create", err, "", "")
		v, err := w.Update(t.Context(), by, "billing", 0, Spec{BindSourceIP: to(true)})
		refused(t, "bind", err, "", "")
		if !v.BindSourceIP || !slices.Equal(v.SourceIPs, []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"}) {
			t.Errorf("%+v", v)
		}
		_, err = w.Update(t.Context(), by, "billing", 0, Spec{SourceIPs: &[]string{}})
		refused(t, "no address is left", err, apierr.InvalidRequest, "source_ips")
		_, _, err = w.Put(t.Context(), by, "billing", 0, NewSpec{Spec: Spec{Scope: to("a:read"), BindSourceIP: to(true)}})
		refused(t, "PUT without addresses", err, apierr.InvalidRequest, "bind_source_ip")
		v, err = w.Update(t.Context(), by, "billing", 0, Spec{SourceIPs: &[]string{}, BindSourceIP: to(false)})
		refused(t, "both at once", err, "", "")
		if v.BindSourceIP || len(v.SourceIPs) != 0 {
			t.Errorf("%+v", v)
		}
	})
}
