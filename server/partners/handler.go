package partners

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
)

// Paths of the public endpoints (PARTNER_GUIDE.md). Everything below PathPrefix
// is JSON:API, errors too.
const (
	PathPrefix = "/partners/"
	PathOrgs   = "/partners/orgs"
	PathToken  = "/partners/token"
)

// Types of the JSON:API documents.
const (
	typeOrg      = "org"
	typeGrant    = "grant"
	typeCreate   = "createOnBehalfToken"
	typeOnBehalf = "onBehalfToken"
)

// Parameters of the list of orgs (JSON:API, Pagination and Inclusion of Related
// Resources), and its longest page.
const (
	paramSize    = "page[size]"
	paramAfter   = "page[after]"
	paramInclude = "include"
	maxOrgs      = 1000
)

// Issues records tokens that were issued; it must not block.
type Issues interface {
	RecordPartnerIssue(partnerID, tokenID, orgID string, from netip.Addr)
}

// Handler serves the endpoints of partners.
type Handler struct {
	Environment string
	OnBehalf    *OnBehalf
	Issues      Issues
}

// tokenAttributes are the attributes of the response; openapi.yaml has them too.
type tokenAttributes struct {
	Token     string `json:"token"`
	ExpiresIn int64  `json:"expiresIn"` // seconds
}

var (
	errNoBearer = apierr.New(apierr.NoToken, "this needs Authorization: Bearer with a partner token")
	errPage     = apierr.New(apierr.InvalidRequest, "the parameters of this path are page[size], 1 to 1000, page[after], as links.next has them, and include: there are no others")
	errRepeated = apierr.New(apierr.InvalidRequest, "a parameter of the query is repeated")
	errInclude  = apierr.New(apierr.InvalidRequest, "include may be grants: there is nothing else to include here").At("?" + paramInclude)
)

// Orgs serves GET /partners/orgs.
func (h Handler) Orgs(c *gin.Context) error {
	q, err := parseQuery(c.Request.URL)
	if err != nil {
		return err
	}
	b, err := h.authenticate(c)
	if err != nil {
		return err
	}
	orgs, more, err := h.OnBehalf.ListOrgs(c.Request.Context(), b, q.after, q.size)
	if err != nil {
		return err
	}
	if n := countFitting(orgs); q.grants && n < len(orgs) {
		orgs, more = orgs[:n], true
	}
	next := ""
	if more {
		next = q.next(orgs[len(orgs)-1].ID)
	}
	if !q.grants {
		web.Documents(c, http.StatusOK, typeOrg, orgs, next)
		return nil
	}
	partner, err := h.OnBehalf.Partner(c.Request.Context(), b)
	if err != nil {
		return err
	}
	if partner == nil {
		return errBearer
	}
	sendWithGrants(c, partner, h.OnBehalf.o.Catalogue(), orgs, next)
	return nil
}

// query is what the URL requests of the list of orgs.
type query struct {
	after  string
	size   int
	grants bool // include what each org grants
}

// next returns the link to the page after the org.
func (q query) next(after string) string {
	values := url.Values{paramSize: {strconv.Itoa(q.size)}, paramAfter: {after}}
	if q.grants {
		values.Set(paramInclude, includeGrants)
	}
	return PathOrgs + "?" + values.Encode()
}

// parseQuery reads the URL of a request for the list of orgs.
func parseQuery(u *url.URL) (q query, err error) {
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return q, errPage
	}
	q.size = maxOrgs
	for name, values := range given {
		switch {
		case name != paramSize && name != paramAfter && name != paramInclude:
			return q, errPage // its name is not repeated: it may be a credential
		case len(values) != 1:
			return q, errRepeated.At("?" + name)
		case name == paramInclude:
			if q.grants = values[0] == includeGrants; !q.grants && values[0] != "" {
				return q, errInclude
			}
		case name == paramSize:
			if q.size, err = strconv.Atoi(values[0]); err != nil || q.size < 1 || q.size > maxOrgs {
				return q, errPage.At("?" + name)
			}
		case !field.ValidID(values[0]):
			return q, errPage.At("?" + name)
		default:
			q.after = values[0]
		}
	}
	return q, nil
}

// Token serves POST /partners/token.
func (h Handler) Token(c *gin.Context) error {
	var r Request
	if err := web.ReadDocument(c, typeCreate, &r); err != nil {
		return err
	}
	b, err := h.authenticate(c)
	if err != nil {
		return err
	}
	recordOrg(c, r.OrgID)
	issued, err := h.OnBehalf.Issue(c.Request.Context(), b, r)
	if err != nil {
		return err
	}
	h.Issues.RecordPartnerIssue(b.Token.PartnerID, b.Token.PartnerTID, *r.OrgID, web.Address(c))
	web.EventOf(c).TokenID = tokens.ID(issued.Digest)
	web.Document(c, http.StatusCreated, typeOnBehalf, tokenAttributes{issued.Token, int64(issued.ExpiresIn / time.Second)})
	return nil
}

// recordOrg records the requested org in the event if it is a valid id: the log
// must not keep anything else that a caller may send.
func recordOrg(c *gin.Context, org *string) {
	if org != nil && field.ValidID(*org) {
		web.EventOf(c).OrgID = *org
	}
}

// authenticate returns the partner token that the caller presented, and records
// it in the event.
func (h Handler) authenticate(c *gin.Context) (Bearer, error) {
	p := auth.Presented{Authorization: c.Request.Header.Values("Authorization")}
	presented, ok := p.Bearer()
	if !ok || presented == "" {
		return Bearer{}, errNoBearer
	}
	b, err := h.OnBehalf.Authenticate(c.Request.Context(), presented, web.Address(c))
	ev := web.EventOf(c)
	ev.PartnerID, ev.PartnerTokenID = b.PartnerToken()
	if credential.OtherEnvironment(presented, h.Environment) {
		ev.Note = "token of the other environment presented"
	}
	return b, err
}
