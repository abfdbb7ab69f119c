package protocol_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

const withGrants = "/partners/orgs?include=grants"

// A partner sees what each org grants it; on both stores.
func TestPartnerGrants(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		a := &alliance{world: startWorld(t, start, harness.Options{})}
		a.agree(t)
		until := a.until(time.Hour)
		a.grant(t, hurdlr, sharedOne, grantedOne, until, map[string]any{"endpoints": []string{"GET /accounts", "GET /accounts/{id}"}})
		auth := bearer(a.token)
		document := map[string]string{"Content-Type": "application/vnd.api+json"}
		two := `{"type":"org","id":"h5D8B5gyHtk=","attributes":{"orgId":"h5D8B5gyHtk=","orgName":"Shared Client 2"},"relationships":{"grants":{"data":[{"type":"grant","id":"h5D8B5gyHtk="}]}}}`
		one := `{"type":"org","id":"ipF58vfdszo=","attributes":{"orgId":"ipF58vfdszo=","orgName":"Shared Client 1"},"relationships":{"grants":{"data":[{"type":"grant","id":"ipF58vfdszo="}]}}}`
		grantTwo := `{"type":"grant","id":"h5D8B5gyHtk=","attributes":{"orgId":"h5D8B5gyHtk=","scopes":"customers cards transactions"}}`
		grantOne := `{"type":"grant","id":"ipF58vfdszo=","attributes":{"orgId":"ipF58vfdszo=","scopes":"accounts transactions","endpoints":["GET /accounts","GET /accounts/{id}"],"until":"` + until["until"].(string) + `"}}`
		meta := `"meta":{"partnerId":"hurdlr","partnerScopes":"` + partnerScope + `"}`
		link := func(after string) string {
			return `"links":{"next":"/partners/orgs?include=grants\u0026page%5Bafter%5D=` + after + `\u0026page%5Bsize%5D=1"}`
		}
		a.run(t, []row{
			{name: "included_grants/all", call: get(withGrants, auth), status: 200, body: `{"data":[` + two + `,` + one + `],"included":[` + grantTwo + `,` + grantOne + `],` + meta + `}`, header: document},
			{name: "included_grants/first_page", call: get(withGrants+"&page[size]=1", auth), status: 200, body: `{"data":[` + two + `],"included":[` + grantTwo + `],` + link("h5D8B5gyHtk%3D") + `,` + meta + `}`, header: document},
			{name: "included_grants/last_page", call: get("/partners/orgs?include=grants&page%5Bafter%5D=h5D8B5gyHtk%3D", auth), status: 200, body: `{"data":[` + one + `],"included":[` + grantOne + `],` + meta + `}`, header: document},
			{name: "included_grants/nothing_to_include", call: get("/partners/orgs?include=", auth), status: 200, header: document,
				body: `{"data":[{"type":"org","attributes":{"orgId":"h5D8B5gyHtk=","orgName":"Shared Client 2"}},{"type":"org","attributes":{"orgId":"ipF58vfdszo=","orgName":"Shared Client 1"}}]}`},
		})
		// What the partner loses is not shown any more.
		a.admin(t, "PUT", "/partners/"+hurdlr, map[string]any{"name": "Hurdlr", "scope": "cards"})
		a.run(t, []row{{name: "included_grants/fewer_scopes", call: get(withGrants, auth), status: 200, header: document,
			body: `{"data":[` + two + `],"included":[` + strings.Replace(grantTwo, "customers cards transactions", "cards", 1) + `],"meta":{"partnerId":"hurdlr","partnerScopes":"cards"}}`}})
		a.admin(t, "DELETE", "/partners/"+hurdlr+"/orgs/"+sharedTwo, nil)
		a.run(t, []row{{name: "included_grants/none", call: get(withGrants, auth), status: 200, body: `{"data":[],"included":[],"meta":{"partnerId":"hurdlr","partnerScopes":"cards"}}`}})
	})
}

// What cannot be included, and who may not ask.
func TestPartnerGrantsRefused(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	auth := bearer(a.token)
	var rows []row
	for _, value := range []string{"grant", "Grants", "grants,grants", "grants,", "grants.org", "partner", "*", "%20grants", a.token} {
		rows = append(rows, unsound("included_grants/unknown_"+value[:min(len(value), 10)], get("/partners/orgs?include="+value, auth), "?include"))
	}
	twice := unsound("included_grants/twice", get(withGrants+"&include=grants", auth), "?include")
	twice.says = "is repeated"
	rows = append(rows, twice,
		unsound("included_grants/another_spelling", get("/partners/orgs?Include=grants", auth), ""),
		unsound("included_grants/beside_a_wrong_page", get(withGrants+"&page[size]=0", auth), "?page[size]"),
		unsound("included_grants/before_the_bearer", get("/partners/orgs?include=x"), "?include"),
		notPartners("included_grants/another_bearer", get(withGrants, bearer(a.world.token(t, a.app, "")))),
		notPartners("included_grants/made_up", get(withGrants, bearer("gp_sandbox_x"))),
	)
	a.run(t, rows)
	a.store.Fail("ListGrants", store.ErrUnavailable)
	defer a.store.Heal("ListGrants")
	a.run(t, []row{down("included_grants/store_down", get(withGrants, auth))})
}

// Many long grants come in pages that are bounded in bytes, and each of them once.
func TestLongPartnerGrants(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	a.partner(t, "patient")
	token, _ := a.partnerToken(t, "patient", nil)
	var endpoints []string
	for i := range 16 {
		endpoints = append(endpoints, fmt.Sprintf("GET /%02d/%s", i, strings.Repeat("x", 240)))
	}
	const orgs = 90
	for i := range orgs {
		id := fmt.Sprintf("org%03d", i)
		a.org(t, id, "Org")
		a.grant(t, "patient", id, "cards", map[string]any{"endpoints": endpoints})
	}
	seen, pages := 0, 0
	for next := withGrants; next != ""; pages++ {
		r := a.send(t, get(next, bearer(token)))
		var doc struct {
			Data     []json.RawMessage `json:"data"`
			Included []struct {
				ID         string `json:"id"`
				Attributes struct {
					Endpoints []string `json:"endpoints"`
				} `json:"attributes"`
			} `json:"included"`
			Links struct {
				Next string `json:"next"`
			} `json:"links"`
		}
		if err := json.Unmarshal([]byte(r.Body), &doc); err != nil || r.Status != 200 || len(r.Body) > 300<<10 || len(doc.Data) != len(doc.Included) {
			t.Fatalf("%v: %d, %d bytes", err, r.Status, len(r.Body))
		}
		for _, g := range doc.Included {
			if g.ID != fmt.Sprintf("org%03d", seen) || len(g.Attributes.Endpoints) != 16 {
				t.Fatalf("%d: %+v", seen, g)
			}
			seen++
		}
		next = doc.Links.Next
	}
	if seen != orgs || pages < 2 || pages > 4 {
		t.Errorf("%d orgs in %d pages", seen, pages)
	}
}
