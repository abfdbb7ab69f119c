package customers

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Paths of the public endpoints (APP_GUIDE.md). Everything below PathPrefix is
// JSON:API, errors too.
const (
	PathPrefix       = "/customers/"
	PathVerification = "/customers/:id/token/verification"
	PathToken        = "/customers/:id/token"
)

// Types of the JSON:API documents.
const (
	typeVerification = "customerTokenVerification"
	typeToken        = "customerToken"
	typeBearerToken  = "customerBearerToken"
)

// Finder finds the token of a caller; see tokens.Service.
type Finder interface {
	FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (tokens.Found, error)
}

// Issues records tokens that were issued; it must not block.
type Issues interface {
	RecordIssue(clientID, secretID string, from netip.Addr)
}

// Handler serves the endpoints of customer tokens.
type Handler struct {
	Tokens *Tokens
	Find   Finder
	Issues Issues
}

// Attributes of the responses; openapi.yaml has them too.
type (
	verificationAttributes struct {
		VerificationToken string `json:"verificationToken"`
	}
	tokenAttributes struct {
		Token     string `json:"token"`
		ExpiresIn int64  `json:"expiresIn"` // seconds
	}
)

var (
	errNoBearer = apierr.New(apierr.NoToken, "this needs Authorization: Bearer with a token of a client of the customer's org, or of the customer")
	errBearer   = apierr.New(apierr.InvalidToken, "the bearer token is not active, is not for this server, or is not one of a client or a customer")
)

// Verification serves POST /customers/{id}/token/verification.
func (h Handler) Verification(c *gin.Context) error {
	var v Verification
	user := web.Related{Name: relationshipUser, Types: relatedTypes}
	if err := web.ReadDocument(c, typeVerification, &v, &user); err != nil {
		return err
	}
	v.User = user.ID
	b, err := h.authenticate(c)
	if err != nil {
		return err
	}
	token, err := h.Tokens.SendCode(c.Request.Context(), b, c.Param("id"), v)
	if err != nil {
		return note(c, err)
	}
	web.Document(c, http.StatusCreated, typeVerification, verificationAttributes{token})
	return nil
}

// Token serves POST /customers/{id}/token.
func (h Handler) Token(c *gin.Context) error {
	var r TokenRequest
	user := web.Related{Name: relationshipUser, Types: relatedTypes}
	if err := web.ReadDocument(c, typeToken, &r, &user); err != nil {
		return err
	}
	r.User = user.ID
	b, err := h.authenticate(c)
	if err != nil {
		return err
	}
	issued, err := h.Tokens.Issue(c.Request.Context(), b, c.Param("id"), r)
	if err != nil {
		return note(c, err)
	}
	h.Issues.RecordIssue(b.Token.ClientID, b.Token.SecretID, web.Address(c))
	web.EventOf(c).TokenID = tokens.ID(issued.Digest)
	web.Document(c, http.StatusCreated, typeBearerToken, tokenAttributes{issued.Token, int64(issued.ExpiresIn / time.Second)})
	return nil
}

// note records in the event which customer and limit the request was refused for.
// It returns err.
func note(c *gin.Context, err error) error {
	var r *refusal
	if errors.As(err, &r) {
		ev := web.EventOf(c)
		ev.CustomerID, ev.Limit = r.customerID, r.limit
	}
	return err
}

// authenticate returns the token that the caller presented, and records its
// client in the event.
func (h Handler) authenticate(c *gin.Context) (Bearer, error) {
	p := auth.Presented{Authorization: c.Request.Header.Values("Authorization")}
	presented, ok := p.Bearer()
	if !ok || presented == "" {
		return Bearer{}, errNoBearer
	}
	found, err := h.Find.FindBearer(c.Request.Context(), presented, web.Address(c), store.UseClient, store.UseCustomer)
	if err != nil {
		return Bearer{}, err
	}
	ev := web.EventOf(c)
	if found.Token == nil {
		ev.NoteEnd(found.ID(), found.End.VoidOf, found.End.At)
		return Bearer{}, errBearer.Because(found.End.Cause)
	}
	ev.ClientID = found.Token.ClientID
	actor := store.PrincipalClient(found.Token.ClientID)
	if found.Token.Use == store.UseCustomer {
		actor = store.PrincipalCustomer(found.Token.CustomerID)
	}
	return Bearer{
		Token: found.Token, Digest: found.Digest, Mark: found.Mark,
		Actor: audit.Actor{Name: actor, Address: web.AddressString(c), RequestID: ev.RequestID},
	}, nil
}
