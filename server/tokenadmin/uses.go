package tokenadmin

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

const (
	// maxIssues is how many issues a Leak has at most.
	maxIssues = 20
	// auditAtOnce and auditMost bound how much of the audit a report reads.
	auditAtOnce = 500
	auditMost   = 10_000
)

// Issue says that tokens were made with a secret: count of them from since to time,
// the last one from address, from about that many addresses.
type Issue struct {
	Since     *time.Time `json:"since,omitempty"`
	Time      time.Time  `json:"time"`
	Address   string     `json:"address,omitempty"`
	Addresses int64      `json:"addresses,omitempty"`
	Count     int64      `json:"count,omitempty"`
}

// useOf returns the last use of a partner token or an API key; nil for other tokens.
func (h Handler) useOf(ctx context.Context, x *tokens.Explanation) (*lastuse.View, error) {
	l := leakOfToken(x)
	owner, id := l.used()
	if owner == "" || id == "" || x.State == tokens.StateUnknown || x.State == tokens.StateLost {
		return nil, nil //nolint:nilnil // its uses are not kept
	}
	uses, err := h.Uses.ListUses(ctx, owner)
	v := lastuse.ViewOf(uses, id)
	return &v, err
}

// addUses adds when and from where the credentials were used.
func (h Handler) addUses(ctx context.Context, leaks ...*Leak) error {
	var owners []string
	for _, l := range leaks {
		if owner, _ := l.used(); owner != "" {
			owners = append(owners, owner)
		}
	}
	if len(owners) == 0 {
		return nil
	}
	uses, err := h.Uses.ListUsesOf(ctx, owners...)
	if err != nil {
		return err
	}
	for _, l := range leaks {
		owner, id := l.used()
		for _, u := range uses {
			if owner != "" && u.Owner == owner && u.ID == id {
				v := lastuse.ViewOfUse(u)
				l.Use = &v
			}
		}
	}
	return h.addIssues(ctx, leaks)
}

// used returns the owner and the id of a credential whose uses are kept; "" for
// others.
func (l *Leak) used() (owner, id string) {
	switch l.Kind {
	case kindSecret:
		return store.PrincipalClient(l.ClientID), l.SecretID
	case kindKey:
		return store.PrincipalKey(l.KeyID), l.KeyID
	case kindPartnerToken:
		return store.PrincipalPartner(l.PartnerID), l.PartnerTokenID
	}
	return "", ""
}

// addIssues reads the newest part of the audit once, for all secrets.
func (h Handler) addIssues(ctx context.Context, leaks []*Leak) error {
	byTarget := map[string]*Leak{}
	for _, l := range leaks {
		if l.Kind == kindSecret && l.Use != nil {
			byTarget[l.target()] = l
		}
	}
	for before, read := "", 0; len(byTarget) > 0 && read < auditMost; {
		events, err := h.Events.ListAudit(ctx, before, auditAtOnce)
		if err != nil {
			return err
		}
		for _, e := range events {
			before = e.ID
			l := byTarget[e.Target]
			if l == nil || e.Action != lastuse.ActionIssue {
				continue
			}
			issue := Issue{Time: e.Time, Address: e.Address, Addresses: e.Addresses, Count: e.Count}
			if !e.Since.IsZero() {
				issue.Since = &e.Since
			}
			if l.Issues = append(l.Issues, issue); len(l.Issues) == maxIssues {
				delete(byTarget, e.Target)
			}
		}
		if read += len(events); len(events) < auditAtOnce {
			return nil
		}
	}
	return nil
}
