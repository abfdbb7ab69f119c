package partners

import (
	"context"
	"errors"
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
	"github.com/grantd/grantd/store"
)

// Paths of the public endpoints (contract §3). Below PathPrefix everything is
// JSON:API, errors too.
const (
	PathPrefix = "/partners/"
	PathOrgs   = "/partners/orgs"
	PathToken  = "/partners/token"
)

// Types of the documents (seeds/000).
const (
	typeOrg      = "org"
	typeCreate   = "createOnBehalfToken"
	typeOnBehalf = "onBehalfToken"
)

// Parameters of the list of orgs (JSON:API's pagination), and its bounds.
const (
	paramSize  = "page[size]"
	paramAfter = "page[after]"
	maxOrgs    = 1000
)

// Finder finds the token of a caller; see tokens.Service.
type Finder interface {
	FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (tokens.Found, error)
}

// Uses notes what was used and given out; it must not block.
type Uses interface {
	RecordPartnerUse(partnerID, tokenID string, from netip.Addr)
	RecordPartnerIssue(partnerID, tokenID, orgID string, from netip.Addr)
}

// Handler is the public side of partners.
type Handler struct {
	Environment string
	OnBehalf    *OnBehalf
	Find        Finder
	Uses        Uses
}

// tokenAnswer are the attributes of what is answered; openapi.yaml has them too.
type tokenAnswer struct {
	Token     string `json:"token"`
	ExpiresIn int64  `json:"expiresIn"` // seconds
}

var (
	errNoBearer = apierr.New(apierr.NoToken, "this needs Authorization: Bearer with a partner token")
	errBearer   = apierr.New(apierr.InvalidToken, "the bearer token is not an active partner token, or may not be used from this address")
	errPage     = apierr.New(apierr.InvalidRequest, "this path takes page[size], 1 to 1000, and page[after], as links.next has them, and no other parameters")
)

// Orgs is GET /partners/orgs.
func (h Handler) Orgs(c *gin.Context) error {
	if err := web.RefuseURLCredentials(c); err != nil {
		return err
	}
	after, size, err := pageOf(c.Request.URL)
	if err != nil {
		return err
	}
	b, err := h.bearer(c)
	if err != nil {
		return err
	}
	orgs, more, err := h.OnBehalf.Orgs(c.Request.Context(), b, after, size)
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

func pageOf(u *url.URL) (after string, size int, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", 0, errPage
	}
	size = maxOrgs
	for name, values := range query {
		switch {
		case len(values) != 1:
			return "", 0, errPage
		case name == paramSize:
			if size, err = strconv.Atoi(values[0]); err != nil || size < 1 || size > maxOrgs {
				return "", 0, errPage
			}
		case name == paramAfter && field.ValidID(values[0]):
			after = values[0]
		default:
			return "", 0, errPage
		}
	}
	return after, size, nil
}

// Token is POST /partners/token.
func (h Handler) Token(c *gin.Context) error {
	var r Request
	if err := web.ReadDocument(c, typeCreate, &r); err != nil {
		return err
	}
	b, err := h.bearer(c)
	if err != nil {
		return err
	}
	noteOrg(c, r.OrgID)
	issued, err := h.OnBehalf.Issue(c.Request.Context(), b, r)
	if err != nil {
		return err
	}
	h.recordIssue(c, b, *r.OrgID, issued)
	web.Document(c, http.StatusCreated, typeOnBehalf, tokenAnswer{issued.Token, int64(issued.ExpiresIn / time.Second)})
	return nil
}

// Exchange makes the token of an exchange (RFC 8693), which server/oauth reads
// and answers. Errors: those of OnBehalf.Exchange; apierr.InvalidToken for the
// subject token.
func (h Handler) Exchange(c *gin.Context, subject, org, scope string) (tokens.IssuedToken, error) {
	b, err := h.find(c, subject)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	noteOrg(c, &org)
	issued, err := h.OnBehalf.Exchange(c.Request.Context(), b, org, scope)
	if err == nil {
		h.recordIssue(c, b, org, issued)
	}
	return issued, err
}

// refused notes what the log may know of a token that is refused; the caller
// is told one thing whatever it is.
func (h Handler) refused(ev *web.Event, presented string, r *tokens.RefusedToken) error {
	if credential.OtherEnvironment(presented, h.Environment) {
		ev.Note = "token of the other environment presented"
	}
	if r == nil {
		return errBearer
	}
	ev.PartnerID, ev.PartnerTokenID = r.PartnerID, r.TokenID
	return errBearer.Because(errors.New(string(r.Why)))
}

func (h Handler) recordIssue(c *gin.Context, b Bearer, org string, issued tokens.IssuedToken) {
	h.Uses.RecordPartnerIssue(b.Token.PartnerID, b.Token.PartnerTID, org, web.Address(c))
	web.EventOf(c).TokenID = tokens.ID(issued.Digest)
}

// noteOrg notes the org that is asked for, if it can be one: the log is not to
// keep what else a caller may put there.
func noteOrg(c *gin.Context, org *string) {
	if org != nil && field.ValidID(*org) {
		web.EventOf(c).OrgID = *org
	}
}

// bearer answers who calls.
func (h Handler) bearer(c *gin.Context) (Bearer, error) {
	p := auth.Presented{Authorization: c.Request.Header.Values("Authorization")}
	presented, ok := p.Bearer()
	if !ok || presented == "" {
		return Bearer{}, errNoBearer
	}
	return h.find(c, presented)
}

func (h Handler) find(c *gin.Context, presented string) (Bearer, error) {
	found, err := h.Find.FindBearer(c.Request.Context(), presented, web.Address(c), store.UsePartner)
	if err != nil {
		return Bearer{}, err
	}
	ev := web.EventOf(c)
	if found.Token == nil {
		return Bearer{}, h.refused(ev, presented, found.Refused)
	}
	ev.PartnerID, ev.PartnerTokenID = found.Token.PartnerID, found.Token.PartnerTID
	h.Uses.RecordPartnerUse(found.Token.PartnerID, found.Token.PartnerTID, web.Address(c))
	return found, nil
}
