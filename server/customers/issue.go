package customers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// maxLife is the longest life of a customer token, and its life if the caller
// does not request one, in seconds.
const maxLife = int64(scopes.MaxTokenLife / time.Second)

// Bounds of resources: a token's record has room for them.
const (
	maxResources   = 16
	maxResourceIDs = 256 // of all types together
	// maxResourceBytes bounds the types and ids of one token together: every token
	// takes that much of the store.
	maxResourceBytes = 2 << 10
)

// TokenRequest is what a caller sends for a customer token.
type TokenRequest struct {
	Scope             *string          `json:"scope"`
	VerificationToken *string          `json:"verificationToken"`
	VerificationCode  *string          `json:"verificationCode"`
	ExpiresIn         *int64           `json:"expiresIn"` // seconds
	UpgradableScope   *string          `json:"upgradableScope"`
	Resources         []store.Resource `json:"resources"`
	// User is the id of the authorized user whom the token is for; nil: none is named.
	User *string `json:"-"`
}

var (
	errQuota        = apierr.New(apierr.TooManyRequests, "this client has made more tokens for customers than its quota: keep each until it expires, and wait as long as Retry-After says")
	errNoScope      = apierr.Member("scope", "scope is missing: name the scopes of the token, separated by spaces")
	errEmptyScope   = apierr.New(apierr.InvalidScope, "name at least one scope")
	errPrivileged   = apierr.New(apierr.InvalidScope, "introspect, admin:*, api-tokens and api-tokens-write are rights of clients: no customer token has them")
	errUpgradeMint  = apierr.New(apierr.InvalidScope, "customer-token-write cannot be added by an upgrade: a token has it from the start or never").At("upgradableScope")
	errHalf         = apierr.Member("verificationToken", "verificationToken and verificationCode go together: send both")
	errExpiresIn    = apierr.Member("expiresIn", "expiresIn is a number of seconds from 1 to 86400")
	errResources    = apierr.Member("resources", `resources is a list such as [{"type":"card","ids":["12"]}]: at most 16 types with 256 ids, each of 1 to 128 of A-Z a-z 0-9 . _ ~ = + : -`)
	errResourceRoom = apierr.Member("resources", "the types and ids of resources are longer than 2048 characters together: name fewer, or leave resources out")
	errWider        = apierr.Member("resources", "resources holds some that the bearer token does not cover")
)

// Issue makes a customer token. The bearer needs the scope
// customer-token-write.
// Errors: apierr.InsufficientScope, NotFound, InvalidRequest, InvalidScope,
// VerificationRequired, NoVerification, InvalidVerification, TooManyRequests, AccessDenied
// (locked); store.ErrUnavailable.
func (t *Tokens) Issue(ctx context.Context, b Bearer, customerID string, r TokenRequest) (tokens.IssuedToken, error) {
	if err := b.requireScope(scopes.CustomerTokenWrite); err != nil {
		return tokens.IssuedToken{}, err
	}
	c, _, err := t.findCustomer(ctx, b, customerID)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	token, ttl, err := t.buildToken(b, c, r)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	// The quota is checked before the code, so that a refusal does not use the code
	// up, and counts only what a right code lets through: an app that sends none, or
	// wrong ones, must not use up the quota of its backend.
	if wait := t.o.Quota.Check(b.Token.ClientID); wait > 0 {
		return tokens.IssuedToken{}, &refusal{errQuota.After(wait), c.ID, ratelimit.CustomerTokensPerClient}
	}
	verified, err := t.requireCode(ctx, b, c, &token, r)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	if wait := t.o.Quota.TakeToken(b.Token.ClientID); wait > 0 && !verified {
		return tokens.IssuedToken{}, &refusal{errQuota.After(wait), c.ID, ratelimit.CustomerTokensPerClient}
	}
	issued, err := t.o.Mint.Mint(ctx, token, ttl)
	if verified {
		t.auditVerification(ctx, b, c, actionToken, verifiedToken{token.Scopes, tokens.ID(issued.Digest), token.AuthorizedUser}, err)
	}
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	t.o.Observe.CountIssued(string(store.UseCustomer))
	return issued, nil
}

// verifiedToken is what the audit says about a token that was made with a code.
type verifiedToken struct {
	Scope  string `json:"scope"`
	ID     string `json:"token_id"`
	UserID string `json:"authorized_user_id,omitempty"`
}

// buildToken returns the token that the caller asks for, without its
// verification. Errors: apierr.InvalidRequest, InvalidScope, InsufficientScope.
func (t *Tokens) buildToken(b Bearer, c store.Customer, r TokenRequest) (token store.Token, ttl time.Duration, err error) {
	token = store.Token{
		Use: store.UseCustomer, ClientID: b.Token.ClientID, SecretID: b.Token.SecretID, OrgID: c.OrgID, CustomerID: c.ID,
		Audience: b.Token.Audience, // a token never reaches more resource servers than the token that it is made from
		Parents:  append([]string{tokens.ID(b.Digest)}, b.Token.Parents...), Position: b.Mark.Position,
	}
	user, err := b.findUser(c, r.User)
	if err != nil {
		return token, 0, err
	}
	if user >= 0 {
		token.AuthorizedUser = c.AuthorizedUsers[user].ID
	}
	if r.Scope == nil {
		return token, 0, errNoScope
	}
	if token.Scopes, err = t.parseScopes(b, "scope", *r.Scope); err != nil {
		return token, 0, err
	}
	if r.UpgradableScope != nil {
		if token.Upgradable, err = t.parseScopes(b, "upgradableScope", *r.UpgradableScope); err != nil {
			return token, 0, err
		}
		if scopes.Holds(token.Upgradable, scopes.CustomerTokenWrite) {
			return token, 0, errUpgradeMint
		}
	}
	life := maxLife
	if r.ExpiresIn != nil {
		if life = *r.ExpiresIn; life < 1 || life > maxLife {
			return token, 0, errExpiresIn
		}
	}
	token.Resources, err = restrictResources(b.Token.Resources, r.Resources)
	return token, time.Duration(life) * time.Second, err
}

// parseScopes returns the scopes that an attribute names, if the bearer may pass
// them on.
func (t *Tokens) parseScopes(b Bearer, attribute, text string) (string, error) {
	names, err := t.o.Catalogue().Parse(text)
	if err != nil {
		return "", apierr.New(apierr.InvalidScope, err.Error()).At(attribute)
	}
	if len(names) == 0 {
		return "", errEmptyScope.At(attribute)
	}
	if slices.ContainsFunc(names, scopes.Privileged) {
		return "", errPrivileged.At(attribute)
	}
	if refused := subtract(names, b.passableScopes()); len(refused) > 0 {
		return "", insufficientScope("the bearer token does not hold these scopes itself, so it cannot pass them on", refused...).At(attribute)
	}
	return scopes.Join(names), nil
}

// requireCode checks the verification if one is needed or given, and records it
// in the token. verified reports whether a code was used.
func (t *Tokens) requireCode(ctx context.Context, b Bearer, c store.Customer, token *store.Token, r TokenRequest) (verified bool, err error) {
	if r.VerificationToken == nil && r.VerificationCode == nil {
		needed := t.scopesNeedingCode(b, token.Scopes)
		if len(needed) == 0 {
			return false, nil
		}
		if err := t.requireSender(); err != nil {
			err.Scope = scopes.Join(needed)
			return false, err.At("scope")
		}
		return false, (&apierr.Error{
			Code: apierr.VerificationRequired, Scope: scopes.Join(needed),
			Description: "these scopes need a code that the customer was sent: ask for a verification first",
		}).At("scope")
	}
	if r.VerificationToken == nil || r.VerificationCode == nil {
		return false, errHalf
	}
	if err := checkRecipient(c, token.AuthorizedUser, *r.VerificationToken); err != nil {
		return false, err
	}
	err = t.consumeCode(ctx, b, c, *r.VerificationToken, *r.VerificationCode)
	if err == nil || isInvalid(err) {
		t.o.Observe.CodeTried(err == nil)
	}
	if isWrong(err) { // only wrong codes are audited: their number is limited, but other failures could fill the audit log
		t.auditVerification(ctx, b, c, actionToken, nil, err)
	}
	if err != nil {
		return false, err
	}
	token.AuthTime = t.o.Now().UTC().Truncate(time.Second)
	token.AMR = []string{"otp"} // RFC 8176 §2
	if token.AuthorizedUser == "" {
		token.AuthorizedUser = verifiedUser(c, *r.VerificationToken)
	}
	return true, nil
}

// scopesNeedingCode returns the scopes that need a code: the sensitive ones, or
// all of them if the bearer is a customer's token.
func (t *Tokens) scopesNeedingCode(b Bearer, names string) []string {
	all := strings.Fields(names)
	if b.Token.Use == store.UseCustomer {
		return all
	}
	return slices.DeleteFunc(all, func(n string) bool {
		s, ok := t.o.Catalogue().Find(n)
		return ok && !s.Sensitive
	})
}

// restrictResources returns the resources that the token is restricted to: what
// the caller requested, within what the bearer is restricted to. If the caller
// requested none, the token has the bearer's restriction. An empty list is
// refused: an app that lists the cards of a customer who has none does not mean
// all cards.
func restrictResources(held, requested []store.Resource) ([]store.Resource, error) {
	if requested == nil {
		return held, nil
	}
	if len(requested) == 0 || len(requested) > maxResources {
		return nil, errResources
	}
	ids, length := 0, 0
	seen := map[string]bool{}
	for _, r := range requested {
		ids += len(r.IDs)
		length += len(r.Type)
		for _, id := range r.IDs {
			length += len(id)
		}
		if len(r.IDs) == 0 || seen[r.Type] || !validResource(r.Type) || slices.ContainsFunc(r.IDs, func(id string) bool { return !validResource(id) }) {
			return nil, errResources
		}
		seen[r.Type] = true
	}
	if ids > maxResourceIDs {
		return nil, errResources
	}
	if length > maxResourceBytes {
		return nil, errResourceRoom
	}
	if len(held) > 0 && slices.ContainsFunc(requested, func(r store.Resource) bool { return !coversResource(held, r) }) {
		return nil, errWider
	}
	return requested, nil
}

func isInvalid(err error) bool {
	var e *apierr.Error
	return errors.As(err, &e) && e.Code == apierr.InvalidVerification
}

// coversResource reports whether held has every id of r.
func coversResource(held []store.Resource, r store.Resource) bool {
	return slices.ContainsFunc(held, func(h store.Resource) bool { return h.Type == r.Type && len(subtract(r.IDs, h.IDs)) == 0 })
}

func validResource(s string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~=+:-"
	return len(s) >= 1 && len(s) <= 128 && strings.Trim(s, alphabet) == ""
}
