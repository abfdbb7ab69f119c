package partners

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// includeGrants is the value of the parameter include, and the relationship of an org.
const includeGrants = "grants"

// maxIncluded bounds the grants of one page, in bytes: a grant may have long lists.
// The page is then shorter than requested.
const maxIncluded = 256 << 10

// Terms are what an org grants the partner, as far as the partner can use it now.
type Terms struct {
	Scopes    []string
	Endpoints []string   // none: all
	Until     *time.Time // nil: until it is withdrawn
}

// size returns about how many bytes the terms take in a document.
func (t *Terms) size() int {
	const around = 200
	size := around
	for _, list := range [...][]string{t.Scopes, t.Endpoints} {
		for _, text := range list {
			size += len(text) + len(`"",`)
		}
	}
	return size
}

// countFitting returns how many of the orgs fit into one page with their grants: all
// of them, or as many as maxIncluded allows, and one at least.
func countFitting(orgs []Org) int {
	size := 0
	for i := range orgs {
		if size += orgs[i].Terms.size(); size > maxIncluded && i > 0 {
			return i
		}
	}
	return len(orgs)
}

// withGrants is the document of the orgs with their grants. openapi.yaml has it too.
type withGrants struct {
	Data     []orgResource     `json:"data"`
	Included []grantResource   `json:"included"`
	Links    map[string]string `json:"links,omitempty"`
	Meta     partnerMeta       `json:"meta"`
}

type resourceID struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type orgResource struct {
	resourceID
	Attributes    Org                        `json:"attributes"`
	Relationships map[string]relatedResource `json:"relationships"`
}

type relatedResource struct {
	Data []resourceID `json:"data"`
}

type grantResource struct {
	resourceID
	Attributes grantAttributes `json:"attributes"`
}

type grantAttributes struct {
	OrgID     string     `json:"orgId"`
	Scopes    string     `json:"scopes"` // separated by spaces, as a request has them
	Endpoints []string   `json:"endpoints,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
}

type partnerMeta struct {
	PartnerID string `json:"partnerId"`
	Scopes    string `json:"partnerScopes"` // what orgs may grant it
}

// sendWithGrants responds with the orgs, and with what each of them grants. next is
// the link to the next page; "": there is none.
func sendWithGrants(c *gin.Context, partner *store.Partner, catalogue *scopes.Catalogue, orgs []Org, next string) {
	doc := withGrants{
		Data: []orgResource{}, Included: []grantResource{},
		Meta: partnerMeta{partner.ID, scopes.Join(forPartners(partner.Scopes, catalogue))},
	}
	for _, o := range orgs {
		id := resourceID{typeGrant, o.ID} // one for each org
		doc.Data = append(doc.Data, orgResource{
			resourceID{typeOrg, o.ID}, o, map[string]relatedResource{includeGrants: {[]resourceID{id}}},
		})
		doc.Included = append(doc.Included, grantResource{id, grantAttributes{o.ID, strings.Join(o.Terms.Scopes, " "), o.Terms.Endpoints, o.Terms.Until}})
	}
	if next != "" {
		doc.Links = map[string]string{"next": next}
	}
	web.SendDocument(c, http.StatusOK, doc)
}
