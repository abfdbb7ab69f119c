package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"github.com/grantd/grantd/server/apierr"
	fields "github.com/grantd/grantd/server/field"
)

// shortBody is the length up to which a body is read at once, for every caller. No
// honest request of the public endpoints is longer.
const shortBody = 4 << 10

const (
	// longAtOnce is how many long bodies are in memory at the same time.
	longAtOnce = 32
	// longFromNetwork is how many of them one network may send.
	longFromNetwork = 4
	// longWait is how long a request waits for its turn, and longRead how long
	// its body may then take; readTime bounds both, with what came before.
	longWait = time.Second
	longRead = 5 * time.Second
	readTime = 10 * time.Second
)

// Bodies bounds the long bodies that a listener holds in memory at the same time,
// and how many of them are decoded at the same time: escapes make decoding cost
// many times what it costs to send them. It is safe for concurrent use.
type Bodies struct {
	perNetwork int
	refused    func()
	places     *semaphore.Weighted
	decoding   *semaphore.Weighted

	mu   sync.Mutex
	from map[netip.Prefix]int
}

// NewBodies returns a Bodies. With shares, one network may send only a few of the
// long bodies. refused is called for each that is refused.
func NewBodies(shares bool, refused func()) *Bodies {
	b := &Bodies{
		perNetwork: longAtOnce,
		refused:    refused,
		places:     semaphore.NewWeighted(longAtOnce),
		decoding:   semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2))),
		from:       map[netip.Prefix]int{},
	}
	if shares {
		b.perNetwork = longFromNetwork
	}
	return b
}

var errLongBodies = apierr.New(apierr.Unavailable, "too many requests with long bodies are in progress; try again")

// take waits for a place for a long body. Errors: apierr.Unavailable.
func (b *Bodies) take(ctx context.Context, from netip.Prefix) error {
	b.mu.Lock()
	full := b.from[from] >= b.perNetwork
	if !full {
		b.from[from]++
	}
	b.mu.Unlock()
	if full {
		return errLongBodies
	}
	ctx, cancel := context.WithTimeout(ctx, longWait)
	defer cancel()
	if err := b.places.Acquire(ctx, 1); err != nil {
		b.leave(from)
		return errLongBodies.Because(err)
	}
	return nil
}

// giveBack returns a place that take has given.
func (b *Bodies) giveBack(from netip.Prefix) {
	b.places.Release(1)
	b.leave(from)
}

func (b *Bodies) leave(from netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from[from]--; b.from[from] <= 0 {
		delete(b.from, from)
	}
}

// unbounded is for handlers that tests call without an engine.
var unbounded = NewBodies(false, func() {})

var shortBodies = sync.Pool{New: func() any { return new([shortBody]byte) }}

// longBodies holds the buffers of long bodies. One that had to grow for an admin
// request is not kept.
var longBodies = sync.Pool{New: func() any { b := make([]byte, 0, MaxBody); return &b }}

// decodeBody reads the body, of at most limit bytes, and calls decode with it, in
// which it must not be kept. A long body needs a place first.
func decodeBody(c *gin.Context, limit int64, decode func(body []byte) error) error {
	n := c.Request.ContentLength
	if n > limit {
		endConnection(c)
		return errTooLarge
	}
	short := shortBodies.Get().(*[shortBody]byte)
	defer shortBodies.Put(short)
	if n < 0 {
		n = shortBody
	}
	head := short[:min(n, shortBody)]
	x := exchangeOf(c)
	x.place.Await(x.started)
	got, err := io.ReadFull(c.Request.Body, head)
	x.place.Arrived()
	head = head[:got]
	defer clear(head) // it holds secrets
	switch {
	case err == nil && c.Request.ContentLength != int64(got):
		return decodeLong(c, head, limit, decode)
	case err == nil,
		c.Request.ContentLength < 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return decode(head)
	}
	return errBody.Because(err)
}

// decodeLong is decodeBody for a body that does not end with head.
func decodeLong(c *gin.Context, head []byte, limit int64, decode func(body []byte) error) error {
	x := exchangeOf(c)
	bodies := x.bodies
	if bodies == nil {
		bodies = unbounded
	}
	control, network := http.NewResponseController(x), fields.Network(x.address)
	if err := bodies.take(c.Request.Context(), network); err != nil {
		bodies.refused()
		x.unlogged = true
		_ = control.SetReadDeadline(time.Now().Add(refusedTime))
		endConnection(c)
		return err
	}
	defer bodies.giveBack(network)
	end := time.Now().Add(longRead)
	if latest := x.started.Add(readTime); !x.started.IsZero() && latest.Before(end) {
		end = latest
	}
	_ = control.SetReadDeadline(end)
	buffer := longBodies.Get().(*[]byte)
	body := append((*buffer)[:0], head...)
	defer func() {
		clear(body)
		if cap(body) <= MaxBody {
			*buffer = body
		}
		longBodies.Put(buffer)
	}()
	rest := http.MaxBytesReader(c.Writer, c.Request.Body, limit-int64(len(head)))
	for {
		got, err := rest.Read(body[len(body):cap(body)])
		body = body[:len(body)+got]
		if errors.Is(err, io.EOF) {
			break
		}
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return errTooLarge
		}
		if err != nil {
			return errBody.Because(err)
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
	_ = control.SetReadDeadline(time.Time{}) // net/http waits for the caller to hang up
	if err := bodies.decoding.Acquire(c.Request.Context(), 1); err != nil {
		return errBody.Because(err)
	}
	defer bodies.decoding.Release(1)
	return decode(body)
}
