package oauth

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// typeIdentity is the type of the JSON:API document of GET /identity.
const typeIdentity = "identity"

// identity are the attributes of that document: what GET /oauth/token/info says, with
// the names and forms that JSON:API documents of tokens have. What does not apply is
// left out.
type identity struct {
	TokenUse   store.TokenUse   `json:"tokenUse"`
	Scope      string           `json:"scope"` // separated by spaces
	ClientID   string           `json:"clientId,omitempty"`
	OrgID      string           `json:"orgId,omitempty"`
	CustomerID string           `json:"customerId,omitempty"`
	UserID     string           `json:"authorizedUserId,omitempty"`
	PartnerID  string           `json:"partnerId,omitempty"`
	SourceIP   string           `json:"sourceIp,omitempty"` // separated by commas
	Endpoints  []string         `json:"endpoints,omitempty"`
	Resources  []store.Resource `json:"resources,omitempty"`
	CreatedAt  time.Time        `json:"createdAt"`
	Expiration time.Time        `json:"expiration"`
}

// Identity serves GET /identity.
func (e *Endpoints) Identity(c *gin.Context) error {
	if err := web.RefuseQuery(c); err != nil {
		return err
	}
	found, err := e.findHolder(c)
	if err != nil {
		return err
	}
	t := found.Token
	web.IdentifiedDocument(c, http.StatusOK, typeIdentity, tokens.Subject(t), identity{
		TokenUse: t.Use, Scope: t.Scopes, ClientID: t.ClientID, OrgID: t.OrgID, CustomerID: t.CustomerID, UserID: t.AuthorizedUser, PartnerID: t.PartnerID,
		SourceIP: strings.Join(t.SourceIPs, ","), Endpoints: t.Endpoints, Resources: t.Resources,
		CreatedAt: t.IssuedAt.UTC(), Expiration: t.ExpiresAt.UTC(),
	})
	return nil
}
