package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

const (
	// syncEvery is how often replicas share how many tokens they issued. What
	// they issue in between may exceed the quota.
	syncEvery   = 500 * time.Millisecond
	syncTimeout = 2 * time.Second
)

// QuotaOptions are what a Quota needs.
type QuotaOptions struct {
	Name    string // of the limit
	Of      QuotaOf
	Store   store.Limits
	Key     []byte // as in Options
	Limit   Limit
	Enforce bool // false: only log and count
	Now     func() time.Time
	Log     *slog.Logger
	Hit     func(limit string)
	Over    func(owner, limit string) // is called once in a window with a principal key; must not block; nil: nobody looks
	Chatty  func()                    // counts hints about clients that do not cache; nil: no hints
}

// QuotaOf says whose tokens a Quota counts, as the log names them.
type QuotaOf string

// The owners of tokens.
const (
	OfClients  QuotaOf = "client"
	OfPartners QuotaOf = "partner"
)

func (of QuotaOf) principal(id string) string {
	switch {
	case strings.Contains(id, ":"):
		return id
	case of == OfPartners:
		return store.PrincipalPartner(id)
	}
	return store.PrincipalClient(id)
}

// Quota limits how many tokens a client or partner may get, or revoke, in a
// window, across all replicas. An id with a colon is the principal key of somebody
// else, such as a customer, who has a separate count. A Quota also reports clients that request a new token each time.
type Quota struct {
	o       QuotaOptions
	mu      sync.Mutex
	clients map[string]*issues
	hinted  time.Time
	sharing *trouble.Log
	stop    chan struct{}
	done    chan struct{}
}

// issues is what one client got.
type issues struct {
	pending int64     // issued here, not in the store yet
	shared  int64     // the count that the store returned last
	until   time.Time // end of the window of shared
	warned  time.Time // no warning is logged before: the end of the window of the last one
	minute  int64     // since the last ReportUncached
	life    time.Duration
	own     Limit // of the client, instead of QuotaOptions.Limit; zero: none
}

// NewQuota returns a Quota; Start begins to share its counts.
func NewQuota(o QuotaOptions) *Quota {
	return &Quota{
		o: o, clients: map[string]*issues{}, hinted: o.Now(), stop: make(chan struct{}), done: make(chan struct{}),
		sharing: trouble.New(o.Log, "limits: quota not shared", "limits: quota shared again"),
	}
}

// Check returns how long the client must wait until it may have one more, or 0. It
// counts nothing.
func (q *Quota) Check(id string) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, ok := q.clients[id]
	now := q.o.Now()
	if !ok || !q.enforces(c) || !now.Before(c.until) {
		return 0
	}
	if limit := q.limitOf(c); limit.Count <= 0 || c.shared+c.pending < int64(limit.Count) {
		return 0
	}
	q.o.Hit(q.o.Name)
	return c.until.Sub(now)
}

// TakeToken counts one token, or one revocation, for the client and returns 0. If
// the client has had too many, it returns how long the client must wait. It does
// not read the store.
func (q *Quota) TakeToken(id string) time.Duration { return q.TakeWithin(id, Limit{}) }

// TakeWithin is TakeToken for a client that has a limit that replaces that of the
// Quota; the zero Limit: it has none.
func (q *Quota) TakeWithin(id string, own Limit) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, ok := q.clients[id]
	if !ok {
		c = &issues{}
		q.clients[id] = c
	}
	c.minute++
	otherWindow := own.Per != c.own.Per // the counts of one window mean nothing in another
	c.own = own
	limit := q.limitOf(c)
	if limit.Count <= 0 {
		return 0
	}
	now := q.o.Now()
	if otherWindow || !now.Before(c.until) {
		// What was not shared yet belongs to the window that has ended.
		c.shared, c.pending, c.until = 0, 0, now.Add(limit.Per)
	}
	if c.shared+c.pending < int64(limit.Count) {
		c.pending++
		return 0
	}
	q.o.Hit(q.o.Name)
	// Sharing moves the end of the window a little, so the warning follows it.
	warn := !now.Before(c.warned)
	c.warned = c.until
	if warn {
		q.warn(id, c)
	}
	if !q.enforces(c) {
		c.pending++
		return 0
	}
	return c.until.Sub(now)
}

// warn says that the client is over its limit.
func (q *Quota) warn(id string, c *issues) {
	limit, name := q.limitOf(c), q.NameWithin(c.own)
	of, id, _ := strings.Cut(q.o.Of.principal(id), ":")
	q.o.Log.Warn(of+" is over its "+q.counted()+" quota", "limit", name, of+"_id", id,
		"count", limit.Count, "per", limit.Per.String(), "enforced", q.enforces(c))
	if q.o.Over != nil {
		q.o.Over(of+":"+id, name)
	}
}

// NameWithin returns the name of the limit that applies to a client with the limit own:
// OwnIssueLimit, or that of the Quota if own is zero. The metric has only the latter.
func (q *Quota) NameWithin(own Limit) string {
	if own.Count > 0 {
		return OwnIssueLimit
	}
	return q.o.Name
}

// enforces reports whether the limit refuses, rather than only warns: a client's own
// always does, because an operator set it to throttle that client.
func (q *Quota) enforces(c *issues) bool { return q.o.Enforce || c.own.Count > 0 }

// limitOf returns the limit of the client.
func (q *Quota) limitOf(c *issues) Limit {
	if c.own.Count > 0 {
		return c.own
	}
	return q.o.Limit
}

// counted returns what the quota counts, for the log.
func (q *Quota) counted() string {
	switch q.o.Name {
	case RevocationsPerClient:
		return "revocation"
	case KeyChangesPerClient:
		return "key change"
	}
	return "issue"
}

// RecordIssue records how long the client's tokens live.
func (q *Quota) RecordIssue(clientID string, life time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c, ok := q.clients[clientID]; ok {
		c.life = life
	}
}

// Start shares counts and reports clients that do not cache, until Stop.
func (q *Quota) Start() {
	go func() {
		defer close(q.done)
		tick := time.NewTicker(syncEvery)
		defer tick.Stop()
		for {
			select {
			case <-q.stop:
				return
			case <-tick.C:
				q.ShareCounts(context.Background())
				q.ReportUncached()
			}
		}
	}()
}

// Stop ends what Start began, and waits for it.
func (q *Quota) Stop() {
	close(q.stop)
	<-q.done
}

// ShareCounts adds what was issued here to the counts in the store, and reads what
// other replicas issued.
func (q *Quota) ShareCounts(ctx context.Context) {
	ids, windows, hits := q.collectPending()
	if len(hits) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	counts, err := q.o.Store.AddHits(ctx, hits...)
	if err != nil {
		q.sharing.Failed(ctx, err, "limit", q.o.Name)
	} else {
		q.sharing.Worked(ctx)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.o.Now()
	for i, id := range ids {
		c := q.clients[id]
		switch {
		case c == nil:
		case c.own.Per != windows[i]: // the client has another window meanwhile
		case err != nil: // what this replica knows still counts
		default:
			c.shared, c.until = counts[i].N, now.Add(counts[i].Left)
		}
	}
}

// collectPending takes what was not shared yet, of the windows that have not
// ended, and returns the length of each that is a client's own. What belongs to a window that
// has ended must not count in the next one.
func (q *Quota) collectPending() (ids []string, windows []time.Duration, hits []store.Hit) {
	now := q.o.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, c := range q.clients {
		if c.pending > 0 && now.Before(c.until) {
			ids, windows = append(ids, id), append(windows, c.own.Per)
			hits = append(hits, store.Hit{Key: q.key(id, c.own.Per), N: c.pending, Window: q.limitOf(c).Per})
			c.shared += c.pending // it counts here while it is on its way
		}
		c.pending = 0
	}
	return ids, windows, hits
}

// key returns the name of the client's counter. A client's own window has another
// counter, so that a change of the limit does not inherit what the last one counted.
func (q *Quota) key(clientID string, ownWindow time.Duration) string {
	m := hmac.New(sha256.New, q.o.Key)
	m.Write([]byte(q.o.Name + " " + clientID))
	if ownWindow != 0 {
		m.Write([]byte(" " + ownWindow.String()))
	}
	return "i" + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:12])
}
