package notices

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/signedpost"
	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

// tickEvery is how often the queue is looked at.
const tickEvery = 2 * time.Second

// Observer counts notices, for the metrics.
type Observer interface {
	// NoticeDone counts a try: sent, failed (it is tried again) or dropped.
	NoticeDone(result string)
	// NoticesPending sets how many wait, and how long the oldest has.
	NoticesPending(n int, oldest time.Duration)
}

// Options are what a Service needs.
type Options struct {
	Environment  string
	Issuer       func() string
	Store        store.Store
	Orgs         *registry.Cache[store.Org]
	Shared       bool // other processes may have the store open
	Post         *signedpost.Poster
	Certificates func() []Certificate
	Observe      Observer
	Now          func() time.Time
	Log          *slog.Logger
}

// Service queues notices and sends them. One goroutine uses it, besides Test and Show.
type Service struct {
	o    Options
	name string // of this process in the lease

	looked  time.Time // when the certificates were looked at; zero: never
	tries   int       // that failed since the last success, because the receiver was down
	retryAt time.Time
	refused map[string]backoff // of pending notices, by id

	queueing, sending, refusing, reading *trouble.Log
	cancel                               context.CancelFunc
	done                                 chan struct{}
}

// New returns a Service; Start begins to send.
func New(o Options) *Service {
	return &Service{
		o: o, name: rand.Text(), done: make(chan struct{}), refused: map[string]backoff{},
		queueing: trouble.New(o.Log, "notices: the queue cannot be read or written", "notices: the queue can be read and written again"),
		sending:  trouble.New(o.Log, "notices: not sent, will be tried again", "notices: sent again"),
		refusing: trouble.New(o.Log, "notices: not sent, because the receiver refuses it; others go on, and it will be tried again", "notices: none is refused any more"),
		reading:  trouble.New(o.Log, "notices: some old events of the audit were left out", ""),
	}
}

func (s *Service) now() time.Time { return s.o.Now() }

// Start sends until Stop.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer close(s.done)
		tick := time.NewTicker(tickEvery)
		defer tick.Stop()
		for {
			if err := s.tick(ctx); err == nil {
				s.queueing.Worked(ctx)
			} else if ctx.Err() == nil && !errors.Is(err, errTaken) {
				s.queueing.Failed(ctx, err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// Stop ends what Start began, and lets another replica go on.
func (s *Service) Stop(ctx context.Context) {
	s.cancel()
	<-s.done
	s.release(ctx)
}

// tick does what is due: every replica offers what only it knows, and the one that has
// the queue reads the rest and sends.
func (s *Service) tick(ctx context.Context) error {
	now := s.now()
	q, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.observe(q, now)
	if q, err = s.offerCertificates(ctx, q, now); err != nil {
		return err
	}
	q, held, err := s.hold(ctx, q, now)
	if err != nil || !held {
		return err
	}
	if q, err = s.collect(ctx, q, now); err != nil {
		return err
	}
	q, err = s.send(ctx, q)
	s.observe(q, s.now())
	return err
}

func (s *Service) observe(q store.NoticeQueue, now time.Time) {
	oldest := time.Duration(0)
	if len(q.Pending) > 0 {
		oldest = max(now.Sub(q.Pending[0].Queued), 0)
	}
	s.o.Observe.NoticesPending(len(q.Pending), oldest)
}

// keepCursorEvery is how often the place in the audit is written although nothing became
// a notice, so that a write is rare and the next reading is short.
const keepCursorEvery = 10 * time.Minute

// worthKeeping reports whether the place in the audit is written now.
func (s *Service) worthKeeping(q store.NoticeQueue, list []store.Notice, last store.AuditEvent, now time.Time) bool {
	return last.ID != "" && (len(list) > 0 || q.AuditID == "" || now.Sub(q.AuditTime) > keepCursorEvery)
}

// collect queues what is new in the audit and due of the credentials, as far as there
// is room: what does not fit stays where it is.
func (s *Service) collect(ctx context.Context, q store.NoticeQueue, now time.Time) (store.NoticeQueue, error) {
	if room := maxPending - len(q.Pending); room > 0 {
		list, last, err := s.collectEvents(ctx, q, room, now)
		if err != nil {
			return q, err
		}
		if s.worthKeeping(q, list, last, now) {
			q, err = s.updateHeld(ctx, q, func(q *store.NoticeQueue) bool {
				enqueue(q, list, now)
				q.AuditID, q.AuditTime = last.ID, last.Time
				return true
			})
			if err != nil {
				return q, err
			}
		}
	}
	beginPass(&q, now)
	for range parts {
		room := maxPending - len(q.Pending)
		if q.Pass == nil || room <= 0 {
			break
		}
		list, pass, err := s.collectCredentials(ctx, q, room)
		if err != nil {
			return q, err
		}
		until := q.Pass.Until
		q, err = s.updateHeld(ctx, q, func(q *store.NoticeQueue) bool {
			enqueue(q, list, now)
			if q.Pass = pass; pass == nil {
				q.Since = until
			}
			return true
		})
		if err != nil {
			return q, err
		}
	}
	return q, nil
}
