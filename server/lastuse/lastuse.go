// Package lastuse counts what must not cost the hot paths a write: when, from
// where and how often each credential was used, how many tokens were issued, how
// often authentication was refused, how many tokens clients revoked. It writes
// the last uses every two seconds, and gathers the rest for minutes into few
// audit events. A crash loses what was not yet written.
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
	// maxCounted bounds the counters of each sort that wait for a flush. While
	// the store is down, new uses beyond it are dropped; what is audited is then
	// counted together.
	maxCounted   = 100_000
	flushTimeout = 5 * time.Second
)

// credential identifies a counter. owner is a client's id, or the principal key
// of another owner.
type credential struct{ owner, id string }

var (
	// others is the counter of all credentials beyond a bound.
	others = credential{id: nameOthers}
	// unknown is the counter of refused callers whose client does not exist.
	unknown credential
)

// use is the counter of a credential. Every authentication copies it under the lock,
// so it is small.
type use struct {
	count int64
	at    time.Time
	from  netip.Addr // the last one
}

// gathered is a counter. Its size matters: a map keeps it inline up to 128 bytes.
type gathered struct {
	count     int64
	since, at time.Time
	from      netip.Addr // the last one
	addresses addressSet
	jti       string // of the last token; only of revocations
}

func (g *gathered) add(other gathered) {
	if g.count == 0 {
		*g = other
		return
	}
	g.count += other.count
	g.at, g.from, g.jti = other.at, other.from, other.jti
	g.addresses.merge(other.addresses)
}

// Recorder counts. Safe for concurrent use. Its Record methods do not wait for
// the store.
type Recorder struct {
	uses  store.Uses
	audit *audit.Log
	now   func() time.Time
	// writing reports that the store does not take the uses.
	writing *trouble.Log

	mu sync.Mutex
	tally

	flushing                        sync.Mutex
	issues, refusals, revocs, overs gatherer

	stop chan struct{}
	done chan struct{}
}

// New makes a Recorder; Start begins writing.
func New(uses store.Uses, a *audit.Log, now func() time.Time, log *slog.Logger) *Recorder {
	return &Recorder{
		uses: uses, audit: a, now: now, tally: newTally(),
		issues: newGatherer(describeIssue), refusals: newGatherer(describeRefusal), revocs: newGatherer(describeRevocation), overs: newGatherer(describeOver),
		writing: trouble.New(log, "usage: not written, will be tried again", "usage: written again"),
		stop:    make(chan struct{}), done: make(chan struct{}),
	}
}

// RecordUse counts a successful authentication with the secret.
func (r *Recorder) RecordUse(clientID, secretID string, from netip.Addr) {
	r.noteUse(credential{clientID, secretID}, from)
}

// RecordPartnerUse counts a use of a partner's token.
func (r *Recorder) RecordPartnerUse(partnerID, tokenID string, from netip.Addr) {
	r.noteUse(credential{store.PrincipalPartner(partnerID), tokenID}, from)
}

// RecordKeyUse counts a use of an API key, which a resource server has seen.
func (r *Recorder) RecordKeyUse(keyID string, from netip.Addr) {
	r.noteUse(credential{store.PrincipalKey(keyID), keyID}, from)
}

// RecordFailure counts a refused authentication of a client, with the cause. ""
// is a client that does not exist: it takes as long, and is not reported.
func (r *Recorder) RecordFailure(clientID, cause string, from netip.Addr) {
	key := credential{clientID, cause}
	if clientID == "" {
		key = unknown
	}
	r.note(&r.refused, key, from, "")
}

// RecordIssue counts an issued token.
func (r *Recorder) RecordIssue(clientID, secretID string, from netip.Addr) {
	r.note(&r.issued, credential{clientID, secretID}, from, "")
}

// RecordPartnerIssue counts a token that a partner got on behalf of an org in
// exchange for its partner token.
func (r *Recorder) RecordPartnerIssue(partnerID, tokenID, orgID string, from netip.Addr) {
	r.note(&r.issued, credential{store.PrincipalPartner(partnerID), orgID + "/" + tokenID}, from, "") // neither id has a '/'
}

// RecordRevocation counts a token that by, a client's id or another principal key,
// revoked or tried to revoke, with the outcome.
func (r *Recorder) RecordRevocation(by, outcome, jti string, from netip.Addr) {
	r.note(&r.revoked, credential{by, outcome}, from, jti)
}

// RecordOverLimit counts that the owner, a principal key, is over the limit with the
// name.
func (r *Recorder) RecordOverLimit(owner, limit string) {
	r.note(&r.over, credential{owner, limit}, netip.Addr{}, "")
}

func (r *Recorder) noteUse(key credential, from netip.Addr) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.used[key]
	if !ok && len(r.used) >= maxCounted {
		return
	}
	r.used[key] = use{u.count + 1, now, from}
}

func (r *Recorder) note(into *map[credential]gathered, key credential, from netip.Addr, jti string) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := (*into)[key]
	if !ok && len(*into) >= maxCounted {
		key = others
		g = (*into)[key]
	}
	if g.count == 0 {
		g.since = now
	}
	g.count++
	g.at, g.from, g.jti = now, from, jti
	g.addresses.add(from)
	(*into)[key] = g
}

// Start writes every two seconds what is due, until Stop.
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
				r.flush(context.Background(), true)
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

// Flush writes the last uses, and what is due of the audit.
func (r *Recorder) Flush(ctx context.Context) { r.flush(ctx, false) }

// flush is Flush. The last one writes everything.
func (r *Recorder) flush(ctx context.Context, last bool) {
	t := r.take()
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if len(t.used) > 0 {
		uses := make([]store.Use, 0, len(t.used))
		for k, g := range t.used {
			owner, _ := k.principal()
			uses = append(uses, store.Use{Owner: owner, ID: k.id, Count: g.count, LastAt: g.at.UTC(), LastIP: address(g.from)})
		}
		if err := r.uses.AddUses(ctx, uses); err != nil {
			r.writing.Failed(ctx, err)
			r.putBack(t.used)
		} else {
			r.writing.Worked(ctx)
		}
	}
	r.gather(ctx, t, last)
}

// tally is what was counted since the last flush.
type tally struct {
	used                           map[credential]use
	issued, refused, revoked, over map[credential]gathered
}

func newTally() tally {
	return tally{map[credential]use{}, map[credential]gathered{}, map[credential]gathered{}, map[credential]gathered{}, map[credential]gathered{}}
}

func (r *Recorder) take() tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally
	r.tally = newTally()
	return t
}

// putBack adds uses that could not be written. A use counts twice if the store
// carried out the write that failed.
func (r *Recorder) putBack(used map[credential]use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, g := range used {
		now, ok := r.used[k]
		if !ok && len(r.used) >= maxCounted {
			continue
		}
		if ok {
			now.count += g.count
			g = now
		}
		r.used[k] = g
	}
}

// principal returns the key of the owner and its kind.
func (k credential) principal() (string, store.OwnerKind) {
	if kind, _ := store.OwnerOf(k.owner); kind != "" || strings.Contains(k.owner, ":") { // no client id has a colon
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
