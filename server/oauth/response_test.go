package oauth

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/store"
)

// introspection is a response that appendActive appends by hand, as a struct for
// encoding/json: RFC 7662 §2.2 and the members that grantd adds.
type introspection struct {
	Active       bool             `json:"active"`
	Scope        string           `json:"scope,omitempty"`
	ClientID     string           `json:"client_id,omitempty"`
	TokenType    string           `json:"token_type,omitempty"`
	ExpiresAt    int64            `json:"exp,omitempty"`
	IssuedAt     int64            `json:"iat,omitempty"`
	Subject      string           `json:"sub,omitempty"`
	Audience     any              `json:"aud,omitempty"` // one: a string; several: a list
	Issuer       string           `json:"iss,omitempty"`
	ID           string           `json:"jti,omitempty"`
	Use          store.TokenUse   `json:"token_use,omitempty"`
	OrgID        string           `json:"org_id,omitempty"`
	CustomerID   string           `json:"customer_id,omitempty"`
	UserID       string           `json:"authorized_user_id,omitempty"`
	PartnerID    string           `json:"partner_id,omitempty"`
	Actor        *actor           `json:"act,omitempty"` // that acts for sub
	SourceIPs    []string         `json:"source_ips,omitempty"`
	Endpoints    []string         `json:"endpoints,omitempty"`
	Resources    []store.Resource `json:"resources,omitempty"`
	AuthTime     int64            `json:"auth_time,omitempty"`
	AMR          []string         `json:"amr,omitempty"`
	VoidKeys     []string         `json:"void_keys,omitempty"`
	FeedPosition string           `json:"feed_position,omitempty"`
	FeedAge      *int64           `json:"feed_age_ms,omitempty"`
}

// actor is RFC 8693 §4.1: the partner that acts on behalf of an org.
type actor struct {
	Subject string `json:"sub"`
}

// tokenResponse is RFC 6749 §5.1, created_at, and issued_token_type of an exchange.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type,omitempty"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	CreatedAt   int64  `json:"created_at"`
}

func voidKeys() *voidkeys.Encoder {
	e := &voidkeys.Encoder{}
	e.Use([]byte("a key of the tests"))
	return e
}

func introspectionOf(f tokens.Found, issuer string) introspection {
	t := f.Token
	a := introspection{
		Active: true, Scope: t.Scopes, TokenType: "Bearer",
		ExpiresAt: t.ExpiresAt.Unix(), IssuedAt: t.IssuedAt.Unix(),
		Subject: tokens.Subject(t), Issuer: issuer, ID: tokens.ID(f.Digest), Use: t.Use,
		OrgID: t.OrgID, CustomerID: t.CustomerID, UserID: t.AuthorizedUser, PartnerID: t.PartnerID,
		SourceIPs: t.SourceIPs, Endpoints: t.Endpoints, Resources: t.Resources,
		AMR: t.AMR, FeedPosition: string(voidKeys().AppendPosition(nil, f.Mark.Position)),
		FeedAge: new(int64(math.Ceil(float64(f.Mark.Age) / 1e6))),
	}
	if !t.AuthTime.IsZero() {
		a.AuthTime = t.AuthTime.Unix()
	}
	for _, p := range t.Principals(new(store.PrincipalBuffer)) {
		a.VoidKeys = append(a.VoidKeys, string(voidKeys().AppendKeyOf(nil, string(p.Append(nil)))))
	}
	own := store.PrincipalToken(f.Digest)
	if t.Use == store.UsePartner { // revoking one changes its record
		own = store.PrincipalAllPartnerTokens
	}
	a.VoidKeys = append(a.VoidKeys, string(voidKeys().AppendKeyOf(nil, own)))
	if t.Use == store.UseClient || t.Use == store.UseCustomer {
		a.ClientID = t.ClientID
	}
	if t.Use == store.UseOnBehalf {
		a.Actor = &actor{Subject: store.PrincipalPartner(t.PartnerID)}
	}
	switch len(t.Audience) {
	case 0:
	case 1:
		a.Audience = t.Audience[0]
	default:
		a.Audience = t.Audience
	}
	return a
}

func expectSame(t *testing.T, what string, appended []byte, want any) {
	t.Helper()
	encoded, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(appended, &a); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, appended)
	}
	if err := json.Unmarshal(encoded, &b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, a); d != "" {
		t.Errorf("%s (-encoding/json +appended):\n%s", what, d)
	}
}

// someIDs has each form that ids can have. Issuer, scopes, audiences and endpoints
// may be any text.
var (
	someIDs   = []string{"", "billing", "gc_AbC-_9", "h5D8B5gyHtk=", "10001", "a.b~c+d"}
	someTexts = []string{"", "users:read", "users:read users:write", "https://api.example.com/a?b=1&c=<d>", "GET /a/{id}", "quote\"\\", "größe", "\x7f\x01\xff", "\u2028"}
	someUses  = []store.TokenUse{store.UseClient, store.UseCustomer, store.UseOnBehalf, store.UsePartner}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func list(r *rand.Rand) (l []string) {
	for range r.IntN(3) {
		l = append(l, pick(r, someTexts[1:]))
	}
	return l
}

func resources(r *rand.Rand) (l []store.Resource) {
	for range r.IntN(3) {
		l = append(l, store.Resource{Type: pick(r, someTexts), IDs: append(list(r), "12")})
	}
	return l
}

func TestIntrospectionIsWhatEncodingJSONMakes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		at := time.Unix(r.Int64N(1<<33)+1, 0)
		f := tokens.Found{
			Token: &store.Token{
				Use: pick(r, someUses), ClientID: pick(r, someIDs), SecretID: pick(r, someIDs), Scopes: pick(r, someTexts), IssuedAt: at, ExpiresAt: at.Add(time.Hour),
				OrgID: pick(r, someIDs), CustomerID: pick(r, someIDs), AuthorizedUser: pick(r, someIDs), PartnerID: pick(r, someIDs), PartnerTID: pick(r, someIDs), Audience: list(r), SourceIPs: list(r), Endpoints: list(r), Resources: resources(r),
				Upgradable: pick(r, someTexts), AuthTime: pick(r, []time.Time{{}, at}), AMR: list(r), Parents: pick(r, [][]string{nil, {tokens.ID(store.Digest{1})}}),
			},
			Mark: feed.Mark{Position: store.Position{Time: r.Uint64(), Seq: r.Uint64()}, Age: time.Duration(r.IntN(2e9))},
		}
		for i := range f.Digest {
			f.Digest[i] = byte(r.Uint32())
		}
		issuer := pick(r, someTexts)
		following, plain := introspectionOf(f, issuer), introspectionOf(f, issuer)
		plain.VoidKeys, plain.FeedPosition, plain.FeedAge = nil, "", nil
		b := appendActive(nil, f, tokens.ID(f.Digest), issuer)
		expectSame(t, "introspection", append(slices.Clip(b), '}'), plain)
		expectSame(t, "introspection with follow", append(appendFollow(b, voidKeys(), f), '}'), following)
	}
}

func TestTokenResponseIsWhatEncodingJSONMakes(t *testing.T) {
	for _, scope := range someTexts {
		at := time.Unix(1687436422, 0)
		issued := tokens.IssuedToken{Token: "gt_sandbox_Ab-_9", Scope: scope, IssuedAt: at, ExpiresIn: 2 * time.Hour}
		want := tokenResponse{"gt_sandbox_Ab-_9", "", "Bearer", 7200, scope, at.Unix()}
		expectSame(t, "token response", appendTokenResponse(nil, &issued, false), want)
		want.IssuedType = typeAccessToken
		expectSame(t, "token response of an exchange", appendTokenResponse(nil, &issued, true), want)
	}
}
