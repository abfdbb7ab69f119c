package lastuse

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Actions of gathered audit events.
const (
	ActionIssue      = "token.issue"
	ActionAuthFailed = "client.authentication_refused"
	ActionRevoke     = "token.revoke"
	ActionOverLimit  = "limit.exceeded"
)

const (
	// gatherFor is how long the events of one credential are gathered after one
	// was written. The first one after that much quiet is written at the next
	// flush.
	gatherFor = 5 * time.Minute
	// maxGathered bounds the credentials of each action whose events are
	// gathered. The events of all beyond it become one.
	maxGathered = 10_000
	// nameOthers is the actor and target of that event.
	nameOthers = "others"
)

// gatherer sums the events of one action, by credential.
type gatherer struct {
	describe func(credential, gathered) audit.Change
	sums     map[credential]*sum
}

type sum struct {
	gathered           // count 0: nothing since the last event
	due      time.Time // when the next event may be written
}

func newGatherer(describe func(credential, gathered) audit.Change) gatherer {
	return gatherer{describe, map[credential]*sum{}}
}

func (g *gatherer) add(counted map[credential]gathered) {
	for k, c := range counted {
		if k == unknown {
			continue // of no client
		}
		s := g.sums[k]
		if s == nil && k != others && len(g.sums) >= maxGathered {
			k = others
			s = g.sums[k]
		}
		if s == nil {
			s = &sum{}
			g.sums[k] = s
		}
		s.gathered.add(c)
	}
}

// event is a gathered event with the time of its first occurrence.
type event struct {
	since time.Time
	audit.Change
}

// appendDue appends the events that are due, or all if it is the last time.
func (g *gatherer) appendDue(events []event, now time.Time, last bool) []event {
	next := now.Add(gatherFor)
	for k, s := range g.sums {
		waits := s.due.After(now) && !s.due.After(next) // the clock may have been set back
		switch {
		case s.count > 0 && (last || !waits):
			events = append(events, event{s.since, g.change(k, s.gathered)})
			s.gathered, s.due = gathered{}, next
		case s.count == 0 && !waits:
			delete(g.sums, k)
		}
	}
	return events
}

func (g *gatherer) change(k credential, s gathered) audit.Change {
	c := g.describe(k, s)
	if k == others {
		c.Target = nameOthers
		if c.Actor.Name != actorUnknown {
			c.Actor.Name = nameOthers
		}
	}
	c.Actor.Address, c.Count, c.Traffic = address(s.from), s.count, true
	if s.count > 1 {
		c.Since = s.since.UTC()
	}
	if n := s.addresses.estimate(); n > 1 {
		c.Addresses = n
	}
	return c
}

// gather adds the tally to what waits, and writes the events that are due.
func (r *Recorder) gather(ctx context.Context, t tally, last bool) {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	now := r.now()
	var events []event
	for _, part := range []struct {
		of      *gatherer
		counted map[credential]gathered
	}{{&r.issues, t.issued}, {&r.refusals, t.refused}, {&r.revocs, t.revoked}, {&r.overs, t.over}} {
		part.of.add(part.counted)
		events = part.of.appendDue(events, now, last)
	}
	slices.SortFunc(events, func(a, b event) int { return a.since.Compare(b.since) })
	changes := make([]audit.Change, len(events))
	for i, e := range events {
		changes[i] = e.Change
	}
	if len(changes) > 0 {
		r.audit.Write(ctx, changes...)
	}
}

func describeIssue(k credential, _ gathered) audit.Change {
	owner, kind := k.principal()
	c := audit.Change{Action: ActionIssue, Actor: audit.Actor{Name: owner}, Target: store.PrincipalSecret(k.owner, k.id)}
	if kind == store.OwnerPartner {
		_, partner := store.OwnerOf(owner)
		org, token, _ := strings.Cut(k.id, "/")
		c.Target, c.After = store.PrincipalGrant(store.GrantID(partner, org)), map[string]string{"partner_token_id": token}
	}
	return c
}

// actorUnknown is the actor of refusals: the caller did not prove that it is the
// client.
const actorUnknown = "anonymous"

func describeRefusal(k credential, _ gathered) audit.Change {
	owner, _ := k.principal()
	c := audit.Change{Action: ActionAuthFailed, Actor: audit.Actor{Name: actorUnknown}, Target: owner, Outcome: "invalid_client"}
	if k != others {
		c.After = map[string]string{"cause": k.id}
	}
	return c
}

// describeOver names whose requests the limit refuses, or would refuse.
func describeOver(k credential, _ gathered) audit.Change {
	return audit.Change{Action: ActionOverLimit, Actor: audit.Actor{Name: k.owner}, Target: k.owner, After: map[string]string{"limit": k.id}}
}

// describeRevocation names the token if it is the only one.
func describeRevocation(k credential, s gathered) audit.Change {
	owner, _ := k.principal()
	c := audit.Change{Action: ActionRevoke, Actor: audit.Actor{Name: owner}, Target: owner, Outcome: k.id}
	if s.count == 1 {
		c.Target = "token:" + s.jti
	}
	return c
}
