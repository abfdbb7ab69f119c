package oauth

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// info is a response that appendInfo appends by hand, as a struct for encoding/json:
// the members of Doorkeeper, and those that grantd adds.
type info struct {
	ResourceOwnerID *string  `json:"resource_owner_id"`
	Scope           []string `json:"scope"`
	ExpiresIn       int64    `json:"expires_in"`
	Application     struct {
		UID *string `json:"uid"`
	} `json:"application"`
	CreatedAt  int64            `json:"created_at"`
	ExpiresAt  int64            `json:"expires_at"`
	Use        store.TokenUse   `json:"token_use"`
	Subject    string           `json:"sub"`
	OrgID      string           `json:"org_id,omitempty"`
	CustomerID string           `json:"customer_id,omitempty"`
	UserID     string           `json:"authorized_user_id,omitempty"`
	PartnerID  string           `json:"partner_id,omitempty"`
	SourceIPs  []string         `json:"source_ips,omitempty"`
	Endpoints  []string         `json:"endpoints,omitempty"`
	Resources  []store.Resource `json:"resources,omitempty"`
}

func TestInfoIsWhatEncodingJSONMakes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		at := time.Unix(r.Int64N(1<<33)+1, 0)
		token := store.Token{
			Use: pick(r, someUses), ClientID: pick(r, someIDs), SecretID: "a1B2c3D4", Scopes: pick(r, someTexts), IssuedAt: at, ExpiresAt: at.Add(time.Hour),
			OrgID: pick(r, someIDs), CustomerID: pick(r, someIDs), AuthorizedUser: pick(r, someIDs), PartnerID: pick(r, someIDs), PartnerTID: pick(r, someIDs), Audience: list(r), SourceIPs: list(r), Endpoints: list(r), Resources: resources(r),
			Upgradable: pick(r, someTexts), AMR: list(r), Parents: []string{tokens.ID(store.Digest{1})},
		}
		want := info{
			Scope: strings.FieldsFunc(token.Scopes, func(r rune) bool { return r == ' ' }), ExpiresIn: 3599, CreatedAt: at.Unix(), ExpiresAt: at.Unix() + 3600, Use: token.Use, Subject: tokens.Subject(&token),
			OrgID: token.OrgID, CustomerID: token.CustomerID, UserID: token.AuthorizedUser, PartnerID: token.PartnerID, SourceIPs: token.SourceIPs, Endpoints: token.Endpoints, Resources: token.Resources,
		}
		if token.ClientID != "" {
			want.Application.UID = &token.ClientID
		}
		expectSame(t, "token info", appendInfo(nil, &token, at.Add(time.Millisecond)), want)
	}
}

func BenchmarkRenderInfo(b *testing.B) {
	b.ReportAllocs()
	at := time.Unix(1687436422, 0)
	token := &store.Token{Use: store.UseClient, ClientID: "billing", SecretID: "a1B2c3D4", Scopes: "users:read customers", IssuedAt: at, ExpiresAt: at.Add(2 * time.Hour)}
	buffer := make([]byte, 0, 1024)
	for b.Loop() {
		buffer = appendInfo(buffer[:0], token, at)
	}
}
