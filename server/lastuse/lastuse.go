// Package lastuse counts what must not cost the hot paths a write: when, from
// where and how often each credential was used, how many tokens were issued, how
// often authentication was refused. It writes the counts in batches. A crash
// loses the last few seconds.
package lastuse

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

const (
	flushEvery = 2 * time.Second
	// maxGathered bounds the counters of each sort that wait for a flush. While
	// the store is down, new ones beyond it are dropped.
	maxGathered  = 100_000
	flushTimeout = 5 * time.Second
)

// Actions of gathered audit events.
const (
	ActionIssue      = "token.issue"
	ActionAuthFailed = "client.authentication_refused"
)

// credential identifies a counter. owner is a client's id, or the principal key
// of another owner.
type credential struct{ owner, id string }

type gathered struct {
	count int64
	at    time.Time
	from  netip.Addr
}

// Recorder counts. Safe for concurrent use. Its Record methods do not wait for
// the store.
type Recorder struct {
	uses  store.Uses
	audit *audit.Log
	now   func() time.Time
	// writing reports that the store does not take the uses.
	writing *trouble.Log

	mu      sync.Mutex
	used    map[credential]gathered
	issued  map[credential]gathered // a partner's id is org/token; neither has a '/'
	refused map[credential]gathered

	stop chan struct{}
	done chan struct{}
}

// New makes a Recorder; Start begins writing.
func New(uses store.Uses, a *audit.Log, now func() time.Time, log *slog.Logger) *Recorder {
	r := &Recorder{uses: uses, audit: a, now: now, stop: make(chan struct{}), done: make(chan struct{})}
	r.writing = trouble.New(log, "usage: not written, will be tried again", "usage: written again")
	r.take()
	return r
}

// RecordUse counts a successful authentication with the secret.
func (r *Recorder) RecordUse(clientID, secretID string, from netip.Addr) {
	r.note(&r.used, credential{clientID, secretID}, from)
}

// RecordFailure counts a refused authentication of a client that exists.
func (r *Recorder) RecordFailure(clientID string, from netip.Addr) {
	r.note(&r.refused, credential{owner: clientID}, from)
}

// RecordIssue counts an issued token.
func (r *Recorder) RecordIssue(clientID, secretID string, from netip.Addr) {
	r.note(&r.issued, credential{clientID, secretID}, from)
}

// RecordPartnerUse counts a use of a partner's token.
func (r *Recorder) RecordPartnerUse(partnerID, tokenID string, from netip.Addr) {
	r.note(&r.used, credential{store.PrincipalPartner(partnerID), tokenID}, from)
}

// RecordPartnerIssue counts a token that a partner got on behalf of an org in
// exchange for its partner token.
func (r *Recorder) RecordPartnerIssue(partnerID, tokenID, orgID string, from netip.Addr) {
	r.note(&r.issued, credential{store.PrincipalPartner(partnerID), orgID + "/" + tokenID}, from)
}

func (r *Recorder) note(into *map[credential]gathered, key credential, from netip.Addr) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := (*into)[key]
	if !ok && len(*into) >= maxGathered {
		return
	}
	g.count++
	g.at, g.from = now, from
	(*into)[key] = g
}

// Start writes the counts every two seconds until Stop.
func (r *Recorder) Start() {
	go func() {
		defer close(r.done)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.Flush(context.Background())
			case <-r.stop:
				r.Flush(context.Background())
				return
			}
		}
	}()
}

// Stop writes what is left and waits for that.
func (r *Recorder) Stop() {
	close(r.stop)
	<-r.done
}

// Flush writes the counts now.
func (r *Recorder) Flush(ctx context.Context) {
	used, issued, refused := r.take()
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if len(used) > 0 {
		uses := make([]store.Use, 0, len(used))
		for k, g := range used {
			owner, _ := k.principal()
			uses = append(uses, store.Use{Owner: owner, ID: k.id, Count: g.count, LastAt: g.at.UTC(), LastIP: address(g.from)})
		}
		if err := r.uses.AddUses(ctx, uses); err != nil {
			r.writing.Failed(ctx, err)
			r.putBack(used)
		} else {
			r.writing.Worked(ctx)
		}
	}
	var changes []audit.Change
	changes = appendChanges(changes, ActionIssue, audit.OutcomeDone, issued)
	changes = appendChanges(changes, ActionAuthFailed, "invalid_client", refused)
	if len(changes) > 0 {
		r.audit.Write(ctx, changes...)
	}
}

func (r *Recorder) take() (used, issued, refused map[credential]gathered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	used, issued, refused = r.used, r.issued, r.refused
	r.used, r.issued, r.refused = map[credential]gathered{}, map[credential]gathered{}, map[credential]gathered{}
	return used, issued, refused
}

// putBack adds uses that could not be written. A use counts twice if the store
// carried out the write that failed.
func (r *Recorder) putBack(used map[credential]gathered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, g := range used {
		now, ok := r.used[k]
		if !ok && len(r.used) >= maxGathered {
			continue
		}
		if ok {
			now.count += g.count
			g = now
		}
		r.used[k] = g
	}
}

func appendChanges(changes []audit.Change, action, outcome string, m map[credential]gathered) []audit.Change {
	for k, g := range m {
		owner, kind := k.principal()
		c := audit.Change{
			Actor:  audit.Actor{Name: owner, Address: address(g.from)},
			Action: action, Target: owner, Outcome: outcome, Count: g.count,
		}
		switch {
		case kind == store.OwnerPartner:
			_, partner := store.OwnerOf(owner)
			org, token, _ := strings.Cut(k.id, "/")
			c.Target, c.After = store.PrincipalGrant(store.GrantID(partner, org)), map[string]string{"partner_token_id": token}
		case k.id != "":
			c.Target = store.PrincipalSecret(k.owner, k.id)
		default:
			c.Actor.Name = "anonymous" // a refused caller did not prove that it is the client
		}
		changes = append(changes, c)
	}
	return changes
}

// principal returns the key of the owner and its kind.
func (k credential) principal() (string, store.OwnerKind) {
	if kind, _ := store.OwnerOf(k.owner); kind != "" {
		return k.owner, kind
	}
	return store.PrincipalClient(k.owner), store.OwnerClient
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}
