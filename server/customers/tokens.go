package customers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/ratelimit"
	causes "github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// Limiter limits how many codes are sent; see server/ratelimit.
type Limiter interface {
	TakeCode(ctx context.Context, r ratelimit.CodeRequest) (ratelimit.Refusal, error)
}

// Quota limits how many tokens a client may make for customers; it must not
// block.
type Quota interface {
	Check(clientID string) (wait time.Duration)
	TakeToken(clientID string) (wait time.Duration)
}

// Minter makes tokens; see server/tokens.
type Minter interface {
	Mint(ctx context.Context, t store.Token, ttl time.Duration) (tokens.IssuedToken, error)
}

// Observer counts issued tokens and codes, for the metrics.
type Observer interface {
	CountIssued(use string)
	CodeSent(channel string, sent bool, took time.Duration)
	CodeTried(right bool)
	CustomerLocked(by string)
}

// TokensOptions are what Tokens needs.
type TokensOptions struct {
	Environment string
	Live        bool
	ProductName string // used in messages in sandbox
	SandboxCode string // the right code in sandbox, where nothing is sent then; "": none

	Customers  *phonekeys.Customers
	Orgs       *registry.Cache[store.Org]
	Challenges store.Challenges
	Guesses    store.GuessCounts
	Catalogue  func() *scopes.Catalogue
	Limit      Limiter
	// OverLimit is called when a limit that customers share refuses a code, with the
	// principal key of whose limit it is; it must not block. nil: nobody looks.
	OverLimit func(owner, limit string)
	Quota     Quota
	Sender    senders.Sender // nil: no codes are sent
	Mint      Minter
	Audit     *audit.Log
	Observe   Observer
	Now       func() time.Time
}

// Tokens holds the rules of customer tokens.
type Tokens struct{ o TokensOptions }

// NewTokens makes a Tokens. In live, only a code that was sent can be right,
// whatever the options say.
func NewTokens(o TokensOptions) *Tokens {
	if o.Live {
		o.SandboxCode = ""
	}
	return &Tokens{o}
}

// Bearer is the active token that a caller presented: one of a client, or of a
// customer.
type Bearer struct {
	Token  *store.Token // shared: do not change it
	Digest store.Digest
	Mark   feed.Mark // from before anything else was read
	Actor  audit.Actor
}

// requireScope returns an error unless the bearer has the scope.
// Errors: apierr.InsufficientScope.
func (b Bearer) requireScope(scope string) error {
	if scopes.Holds(b.Token.Scopes, scope) {
		return nil
	}
	return insufficientScope("the bearer token lacks the scope that this needs", scope)
}

func insufficientScope(description string, names ...string) *apierr.Error {
	return &apierr.Error{Code: apierr.InsufficientScope, Description: description, Scope: scopes.Join(names)}
}

var errNoCustomer = apierr.New(apierr.NotFound, "there is no customer with this id in the org of the bearer token")

// findCustomer returns the customer that the bearer may act for, with their org.
// The error is the same whether the customer is unknown, deactivated, of another
// org, or of a former org with the same id; the log has the cause.
// Errors: notFound, store.ErrUnavailable.
func (t *Tokens) findCustomer(ctx context.Context, b Bearer, id string) (store.Customer, store.Org, error) {
	switch {
	case b.Token.OrgID == "":
		return store.Customer{}, store.Org{}, notFound(shownID(id), causes.TokenWithoutOrg)
	case b.Token.Use == store.UseCustomer && b.Token.CustomerID != id:
		return store.Customer{}, store.Org{}, notFound(shownID(id), causes.CustomerNotOfToken)
	}
	c, err := t.o.Customers.Get(ctx, id)
	if isAbsent(err) {
		return c, store.Org{}, notFound(shownID(id), causes.CustomerUnknown)
	}
	if err != nil {
		return c, store.Org{}, err
	}
	org, err := t.o.Orgs.Get(ctx, b.Token.OrgID)
	if err != nil {
		return c, store.Org{}, err
	}
	if cause := barrier(c, org.Record, b.Token.OrgID); cause != "" {
		return c, store.Org{}, notFound(c.ID, cause)
	}
	return c, *org.Record, nil
}

// barrier returns why a client of the org with the id orgID may not act for the
// customer, or "". org is nil if there is none.
func barrier(c store.Customer, org *store.Org, orgID string) causes.Cause {
	switch {
	case c.OrgID != orgID:
		return causes.CustomerOfOtherOrg
	case org == nil, !org.Usable():
		return causes.CustomerOrgUnusable
	case !org.Owns(c.OrgIncarnation, c.CreatedAt):
		return causes.CustomerOfFormerOrg
	case c.Held():
		return causes.CustomerHeld
	case !c.Usable():
		return causes.CustomerDeactivated
	}
	return ""
}

// notFound returns errNoCustomer with the cause and the id for the log.
func notFound(id string, cause causes.Cause) error {
	return &refusal{err: errNoCustomer.Because(cause), customerID: id}
}

// shownID returns the id for the log, or "" unless it can be one of a customer and is
// no credential: a caller can send anything.
func shownID(id string) string {
	if !field.ValidID(id) || credential.LooksSecret(id) {
		return ""
	}
	return strings.Clone(id)
}

// Actions in the audit log.
const (
	actionCode   = "customer.send_code"
	actionToken  = "customer.verified_token"
	actionLocked = "customer.locked"
)

// auditVerification audits that a code was sent, or that one was tried.
func (t *Tokens) auditVerification(ctx context.Context, b Bearer, c store.Customer, action string, after any, err error) {
	ch := audit.Change{Traffic: true, Actor: b.Actor, Action: action, Target: store.PrincipalCustomer(c.ID), After: after, Outcome: audit.OutcomeOf(err)}
	if err != nil {
		ch.After = nil
	}
	t.o.Audit.Write(ctx, ch)
}

func isAbsent(err error) bool { return errors.Is(err, store.ErrNotFound) }
func isWrong(err error) bool  { return errors.Is(err, store.ErrWrong) }

// subtract returns the names that are not in others.
func subtract(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}

// passableScopes returns the scopes that the bearer may pass on. A client's token
// passes on its own scopes. A customer's token also passes on those that it may
// be upgraded to, but never the right to make tokens.
func (b Bearer) passableScopes() []string {
	names := strings.Fields(b.Token.Scopes)
	if b.Token.Use != store.UseCustomer {
		return names
	}
	names = append(names, strings.Fields(b.Token.Upgradable)...)
	return slices.DeleteFunc(names, func(n string) bool { return n == scopes.CustomerTokenWrite })
}
