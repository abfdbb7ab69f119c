package server

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/apikeys"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/server/partners"
)

// TestAdminGuide compares ADMIN_API.md with routes.go and with the structs of
// bodies: it must have every endpoint and member, and no other endpoints.
func TestAdminGuide(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("admin", "ADMIN_API.md"))
	if err != nil {
		t.Fatal(err)
	}
	guide := string(b)
	_, tables, _ := strings.Cut(guide, "## Endpoints")
	documented := regexp.MustCompile("(?:GET|POST|PUT|PATCH|DELETE) /[^`]+").FindAllString(tables, -1)
	var mounted []string
	s := &Server{client: &clients.Service{}, orgs: &orgs.Service{}, customers: &customers.Service{}, partners: &partners.Service{}, keyRecords: &apikeys.Service{}}
	for _, feature := range s.adminRoutes() {
		for _, r := range feature {
			mounted = append(mounted, r.Method+" "+regexp.MustCompile(":([a-z]+)").ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(documented)
	slices.Sort(mounted)
	if diff := cmp.Diff(mounted, documented); diff != "" {
		t.Errorf("routes.go and ADMIN_API.md differ (-mounted +documented):\n%s", diff)
	}
	for _, body := range []any{
		clients.NewSpec{}, clients.Spec{}, orgs.Spec{}, customers.Spec{}, customers.AuthorizedUser{}, customers.Import{},
		partners.Spec{}, partners.GrantSpec{}, partners.TokenSpec{}, apikeys.Spec{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(body)) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !field.Anonymous && !strings.Contains(tables, "`"+name+"`") {
				t.Errorf("ADMIN_API.md does not have %s of %T", name, body)
			}
		}
	}
}
