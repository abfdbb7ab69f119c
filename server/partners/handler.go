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
	typeCreate   = "createOnBehalfToken"
	typeOnBehalf = "onBehalfToken"
)

// Parameters of the list of orgs (JSON:API's pagination), and its longest page.
const (
	paramSize  = "page[size]"
	paramAfter = "page[after]"
	maxOrgs    = 1000
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
	errPage     = apierr.New(apierr.InvalidRequest, "the parameters of this path are page[size], 1 to 1000, and page[after], as links.next has them: there are no others")
)

// Orgs serves GET /partners/orgs.
func (h Handler) Orgs(c *gin.Context) error {
	if err := web.RefuseURLCredentials(c); err != nil {
		return err
	}
	after, size, err := parsePage(c.Request.URL)
	if err != nil {
		return err
	}
	b, err := h.authenticate(c)
	if err != nil {
		return err
	}
	orgs, more, err := h.OnBehalf.ListOrgs(c.Request.Context(), b, after, size)
	if err != nil {
		return err
	}
	next := ""
	if more {
		next = PathOrgs + "?" + url.Values{paramSize: {strconv.Itoa(size)}, paramAfter: {orgs[len(orgs)-1].ID}}.Encode()
	}
	web.Documents(c, http.StatusOK, typeOrg, orgs, next)
	return nil
}

// parsePage reads from the URL which page of the list of orgs is requested.
func parsePage(u *url.URL) (after string, size int, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", 0, errPage
	}
	size = maxOrgs
	for name, values := range query {
		switch {
		case name != paramSize && name != paramAfter:
			return "", 0, errPage // its name is not repeated: it may be a credential
		case len(values) != 1:
			return "", 0, errPage.At("?" + name)
		case name == paramSize:
			if size, err = strconv.Atoi(values[0]); err != nil || size < 1 || size > maxOrgs {
				return "", 0, errPage.At("?" + name)
			}
		case !field.ValidID(values[0]):
			return "", 0, errPage.At("?" + name)
		default:
			after = values[0]
		}
	}
	return after, size, nil
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
