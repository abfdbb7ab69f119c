package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/manage"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// Grant is what an authenticated client gets a token for.
type Grant struct {
	Client   *store.Client
	SecretID string
	Mark     feed.Mark // from before the client was read
	Scopes   []string
	Audience []string
}

// IssuedToken is a token that was stored.
type IssuedToken struct {
	Token     string
	Digest    store.Digest
	Scope     string
	IssuedAt  time.Time // whole seconds
	ExpiresIn time.Duration
}

// Issue mints a token through go-oauth2's Manager, with one write to the store.
// Errors: store.ErrUnavailable.
func (s *Service) Issue(ctx context.Context, g Grant) (IssuedToken, error) {
	m := &minting{Context: ctx, grant: g}
	_, err := s.manager.GenerateAccessToken(m, oauth2.ClientCredentials, &oauth2.TokenGenerateRequest{
		ClientID: g.Client.ID,
		Scope:    scopes.Join(g.Scopes),
	})
	return m.issued, err
}

// minting carries through the context what Manager cannot carry. Manager makes a
// token model and gives only that to the token store, but a record needs more.
// Nothing else in grantd travels in a context.
type minting struct {
	context.Context
	grant  Grant
	issued IssuedToken
}

type mintingKey struct{}

func (m *minting) Value(key any) any {
	if key == (mintingKey{}) {
		return m
	}
	return m.Context.Value(key)
}

var errNotMinting = errors.New("tokens: called outside Issue")

func mintingOf(ctx context.Context) (*minting, error) {
	m, ok := ctx.Value(mintingKey{}).(*minting)
	if !ok {
		return nil, errNotMinting
	}
	return m, nil
}

func (s *Service) newManager() *manage.Manager {
	m := manage.NewManager()
	m.MapClientStorage(clientStore{})
	m.MapAccessGenerate(generator{s})
	m.MapTokenStorage(tokenStore{s})
	return m
}

// clientStore returns the client, which is authenticated already.
type clientStore struct{}

func (clientStore) GetByID(ctx context.Context, id string) (oauth2.ClientInfo, error) {
	m, err := mintingOf(ctx)
	if err != nil {
		return nil, err
	}
	return (*authenticated)(m), nil
}

// authenticated satisfies Manager's check of the client: server/auth has done it.
type authenticated minting

func (a *authenticated) GetID() string            { return a.grant.Client.ID }
func (*authenticated) GetSecret() string          { return "" }
func (*authenticated) GetDomain() string          { return "" }
func (*authenticated) IsPublic() bool             { return false }
func (*authenticated) GetUserID() string          { return "" }
func (*authenticated) VerifyPassword(string) bool { return true }

// generator makes the token and sets its lifetime and creation time, which
// Manager would set differently.
type generator struct{ s *Service }

func (g generator) Token(ctx context.Context, data *oauth2.GenerateBasic, _ bool) (access, refresh string, err error) {
	m, err := mintingOf(ctx)
	if err != nil {
		return "", "", err
	}
	now := g.s.o.Now().UTC().Truncate(time.Second)
	ttl := g.s.grantedLife(m.grant)
	data.TokenInfo.SetAccessCreateAt(now)
	data.TokenInfo.SetAccessExpiresIn(ttl)
	return g.s.o.Keys.Make(now.Add(ttl)), "", nil
}

// grantedLife returns the lifetime that the client's record sets, or else the
// server's, capped by those of the scopes.
func (s *Service) grantedLife(g Grant) time.Duration {
	ttl := g.Client.TokenTTL
	if ttl == 0 {
		ttl = s.o.DefaultTTL
	}
	ttl = s.o.Catalogue().CapTTL(g.Scopes, ttl)
	return min(max(ttl.Truncate(time.Second), scopes.MinTokenLife), scopes.MaxTokenLife)
}

// tokenStore stores the record. Look-ups and revocation do not go through
// Manager, so the other methods find nothing.
type tokenStore struct{ s *Service }

func (t tokenStore) Create(ctx context.Context, info oauth2.TokenInfo) error {
	m, err := mintingOf(ctx)
	if err != nil {
		return err
	}
	g := m.grant
	iat := info.GetAccessCreateAt()
	m.issued, err = t.s.storeToken(ctx, info.GetAccess(), store.Token{
		Use:       store.UseClient,
		ClientID:  g.Client.ID,
		SecretID:  g.SecretID,
		OrgID:     g.Client.OrgID,
		Scopes:    info.GetScope(),
		Audience:  g.Audience,
		SourceIPs: boundTo(g.Client),
		IssuedAt:  iat,
		ExpiresAt: iat.Add(info.GetAccessExpiresIn()),
		Position:  g.Mark.Position,
	})
	return err
}

// boundTo returns the addresses that the tokens of the client are bound to; nil: they
// are not.
func boundTo(c *store.Client) []string {
	if c.BindSourceIP {
		return c.SourceIPs
	}
	return nil
}

func (s *Service) storeToken(ctx context.Context, presented string, t store.Token) (IssuedToken, error) {
	d := DigestOf(presented)
	if err := s.o.Store.PutToken(ctx, d, t); err != nil {
		return IssuedToken{}, err
	}
	return IssuedToken{
		Token:     presented,
		Digest:    d,
		Scope:     t.Scopes,
		IssuedAt:  t.IssuedAt,
		ExpiresIn: t.ExpiresAt.Sub(t.IssuedAt),
	}, nil
}

func (tokenStore) RemoveByCode(context.Context, string) error    { return nil }
func (tokenStore) RemoveByAccess(context.Context, string) error  { return nil }
func (tokenStore) RemoveByRefresh(context.Context, string) error { return nil }
func (tokenStore) GetByCode(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, nil
}
func (tokenStore) GetByAccess(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, nil
}
func (tokenStore) GetByRefresh(context.Context, string) (oauth2.TokenInfo, error) {
	return nil, nil
}
