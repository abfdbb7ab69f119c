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
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// Limiter bounds how many codes are sent; see server/ratelimit.
type Limiter interface {
	Take(ctx context.Context, f ratelimit.For) (wait time.Duration, err error)
}

// Quota bounds how many tokens a client may make for customers; it must not
// block.
type Quota interface {
	Take(clientID string) (wait time.Duration)
}

// Minter makes tokens; see server/tokens.
type Minter interface {
	Mint(ctx context.Context, t store.Token, ttl time.Duration) (tokens.IssuedToken, error)
}

// Observer counts what happens here, for the metrics.
type Observer interface {
	CountIssued(use string)
	CodeSent(channel string, sent bool, took time.Duration)
	CodeTried(right bool)
}

// TokensOptions are what Tokens needs.
type TokensOptions struct {
	Environment string
	Live        bool
	ProductName string // in messages, in sandbox
	SandboxCode string // that is right in sandbox, with nothing sent; "": none

	Customers  store.Customers
	Orgs       *registry.Cache[store.Org]
	Challenges store.Challenges
	Guesses    store.GuessCounts
	Catalogue  func() *scopes.Catalogue
	Limit      Limiter
	Quota      Quota
	Sender     senders.Sender
	Mint       Minter
	Audit      *audit.Log
	Observe    Observer
	Now        func() time.Time
}

// Tokens holds the rules of customer tokens.
type Tokens struct{ o TokensOptions }

// NewTokens makes a Tokens. In live no code is right that was not sent,
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
	Token  *store.Token // shared: not to be changed
	Digest store.Digest
	Mark   feed.Mark // from before anything else was read
	Actor  audit.Actor
}

// holds says whether the bearer has the scope. Errors:
// apierr.InsufficientScope.
func (b Bearer) holds(scope string) error {
	if scopes.Holds(b.Token.Scopes, scope) {
		return nil
	}
	return lacks("the bearer token lacks the scope that this needs", scope)
}

func lacks(description string, names ...string) *apierr.Error {
	return &apierr.Error{Code: apierr.InsufficientScope, Description: description, Scope: scopes.Join(names)}
}

var errNoCustomer = apierr.New(apierr.NotFound, "there is no customer with this id in the org of the bearer token")

// customer answers the customer that the bearer may act for, with its org. One
// answer for who is unknown, deactivated, or another's.
func (t *Tokens) customer(ctx context.Context, b Bearer, id string) (store.Customer, store.Org, error) {
	if b.Token.OrgID == "" || b.Token.Use == store.UseCustomer && b.Token.CustomerID != id {
		return store.Customer{}, store.Org{}, errNoCustomer
	}
	c, err := t.o.Customers.Get(ctx, id)
	if isAbsent(err) {
		return c, store.Org{}, errNoCustomer
	}
	if err != nil {
		return c, store.Org{}, err
	}
	org, err := t.o.Orgs.Get(ctx, b.Token.OrgID)
	switch {
	case err != nil:
		return c, store.Org{}, err
	case org.Record == nil, org.Record.DeactivatedAt != nil, c.OrgID != org.Record.ID, c.DeactivatedAt != nil:
		return c, store.Org{}, errNoCustomer
	}
	return c, *org.Record, nil
}

// Actions of the audit.
const (
	actionCode  = "customer.send_code"
	actionToken = "customer.verified_token"
)

// auditVerification audits what has to do with a code: one that was asked for, and one
// that was tried.
func (t *Tokens) auditVerification(ctx context.Context, b Bearer, c store.Customer, action string, after any, err error) {
	ch := audit.Change{Actor: b.Actor, Action: action, Target: store.PrincipalCustomer(c.ID), After: after, Outcome: audit.OutcomeOf(err)}
	if err != nil {
		ch.After = nil
	}
	t.o.Audit.Write(ctx, ch)
}

func isAbsent(err error) bool { return errors.Is(err, store.ErrNotFound) }
func isWrong(err error) bool  { return errors.Is(err, store.ErrWrong) }

// missing answers the names that are not among held.
func missing(names, held []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(held, n) })
}

// held answers the scopes that the bearer may pass on: its own, and of a
// customer's also those it may be upgraded to, but for the right to make
// tokens.
func (b Bearer) held() []string {
	names := strings.Fields(b.Token.Scopes)
	if b.Token.Use != store.UseCustomer {
		return names
	}
	names = append(names, strings.Fields(b.Token.Upgradable)...)
	return slices.DeleteFunc(names, func(n string) bool { return n == scopes.CustomerTokenWrite })
}
