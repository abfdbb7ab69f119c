package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// silence is how long a link may deliver no confirmation that counts: then it is
// dead, too slow, or of a replica that is cut off, and another one is opened.
const silence = 3 * time.Second

var (
	errSilent   = errors.New("the stream of revocations was silent, or too slow, for 3 s")
	errNotFirst = errors.New("the stream of revocations does not begin with the registration")
	errNotSSE   = errors.New("the stream of revocations is not text/event-stream")
	errNoStream = errors.New("the authorization server has no stream of revocations: update grantd")
)

// link is one open stream of revocations.
type link struct {
	client *client
	view   *view
	cursor *cursor
	max    time.Duration      // MaxStaleness
	brief  bool               // only for the registration
	heard  func(Registration) // called with each registration
	ready  func()             // called at the first confirmation that counts

	connected *atomic.Int32 // links whose registration came
	sent      atomic.Int64  // instant: before the request was written
	arrivedAt time.Duration // when it arrived, by the clock of the server
	lastAt    time.Duration // when the last confirmation was made, by the same clock
	begun     bool          // the registration came
	counted   bool          // a confirmation counted
	retry     time.Duration // what the server asked for
	watch     *time.Timer
}

// run opens the stream and reads it until it ends. It returns nil only
// for a brief link.
func (l *link) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.watch = time.AfterFunc(silence, func() { cancel(errSilent) })
	defer l.watch.Stop()
	err := l.read(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

func (l *link) read(ctx context.Context) error {
	res, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return l.readEvents(res.Body)
}

// readEvents reads events until the stream ends.
func (l *link) readEvents(in io.Reader) error {
	events := newEventReader(in)
	for {
		e, err := events.next()
		if err != nil {
			return fmt.Errorf("the stream of revocations ended: %w", err)
		}
		if err := l.apply(&e); err != nil {
			return err
		}
		if l.brief && l.begun {
			return nil
		}
	}
}

// open sends the request. A refused secret is read again from its file, once.
func (l *link) open(ctx context.Context) (*http.Response, error) {
	for again := false; ; again = true {
		value, wait := l.client.secret.get(l.client.clock())
		if wait > 0 {
			return nil, l.client.refusedBefore(wait)
		}
		res, err := l.request(ctx, value)
		if err != nil {
			return nil, err
		}
		if res.StatusCode == http.StatusOK {
			l.client.secret.accept(value)
			if t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || t != "text/event-stream" {
				res.Body.Close()
				return nil, errNotSSE
			}
			return res, nil
		}
		res.Body.Close()
		if res.StatusCode == http.StatusNotFound {
			l.client.forgetURLs()
		}
		refused := res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden
		if !refused || !l.client.secret.refuse(value, l.client.clock()) || again {
			return nil, l.client.statusError(res.Request.URL.String(), res)
		}
	}
}

func (l *link) request(ctx context.Context, value string) (*http.Response, error) {
	u, err := l.client.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	if u.stream == "" {
		l.client.forgetURLs() // it may be updated while the guard runs
		return nil, l.client.noStream()
	}
	// If the transport sends the request again on another connection, the last time
	// is the right one: the response comes from there.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		l.sent.Store(int64(l.client.clock()))
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.stream, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if l.cursor.resumes {
		r.Header.Set("Last-Event-ID", l.cursor.from.String())
	}
	l.client.secret.authenticate(r, value)
	return l.client.http.Do(r)
}

// noStream returns the error of a server without a stream.
func (c *client) noStream() error {
	if way := c.name("NoStream"); way != "" {
		return wrongConfig("%w, or set %s", errNoStream, way)
	}
	return &configError{errNoStream}
}

// apply applies one event. Unknown ones are for later versions.
func (l *link) apply(e *event) error {
	if e.retry > 0 {
		l.retry = e.retry
	}
	now := l.client.clock()
	if e.name == eventRegistration {
		return l.register(e, now)
	}
	if e.name != eventReset && e.name != eventVoid && e.name != eventFresh {
		return nil
	}
	if !l.begun {
		return errNotFirst
	}
	id, err := parsePosition(e.id)
	if err != nil {
		return err
	}
	switch e.name {
	case eventReset:
		l.client.count.resets.Add(1)
		return l.view.reset(l.cursor, id, now)
	case eventVoid:
		keys, err := e.voided()
		if err != nil {
			return err
		}
		l.client.count.voids.Add(uint64(len(keys)))
		return l.view.void(l.cursor, id, keys, now)
	}
	return l.confirm(e, id, now)
}

func (l *link) register(e *event, now instant) error {
	r, at, err := e.registration()
	if err != nil {
		return err
	}
	l.heard(r)
	if l.begun {
		return nil // it changed; a reset follows
	}
	l.begun, l.arrivedAt = true, at
	l.connected.Add(1)
	if l.brief {
		return nil
	}
	return l.view.start(l.cursor, now)
}

// rounding is how much two times in whole milliseconds may differ from the true ones.
const rounding = time.Millisecond

// confirm works out as of when the view is complete. A proxy may have held the event
// back, so the moment at which it came says nothing. But the server states, by one
// clock, when the request arrived and when it made the event; and the request was not
// written before l.sent. So the event was made at l.sent plus the difference, or later.
// The difference of the first confirmation may be negative: the server makes one for
// all its readers, perhaps before this request arrived.
func (l *link) confirm(e *event, id position, now instant) error {
	age, at, err := e.fresh()
	if err != nil {
		return err
	}
	if at < l.lastAt {
		return errAtRewinds
	}
	l.lastAt = at
	made := instant(l.sent.Load()) + at - l.arrivedAt - rounding
	asOf := min(made, now) - age - rounding // nothing is made after it came
	if err := l.view.confirm(l.cursor, id, asOf); err != nil {
		return err
	}
	if now-asOf > l.max {
		return nil
	}
	l.watch.Reset(silence)
	if !l.counted {
		l.counted = true
		l.ready()
	}
	return nil
}
