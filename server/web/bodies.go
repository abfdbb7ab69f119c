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
)

// shortBody is the length up to which a body is read at once, for every caller. No
// honest request of the public endpoints is longer.
const shortBody = 4 << 10

const (
	// longAtOnce is how many long bodies are in memory at the same time.
	longAtOnce = 32
	// longFromAddress is how many of them one address may send.
	longFromAddress = 4
	// longWait is how long a request waits for its turn, and longRead how long
	// its body may then take.
	longWait = time.Second
	longRead = 5 * time.Second
)

// Bodies bounds the long bodies that a listener holds in memory at the same time,
// and how many of them are decoded at the same time: escapes make decoding cost
// many times what it costs to send them. It is safe for concurrent use.
type Bodies struct {
	perAddress int
	places     *semaphore.Weighted
	decoding   *semaphore.Weighted

	mu   sync.Mutex
	from map[netip.Addr]int
}

// NewBodies returns a Bodies. With shares, one address may send only a few of the
// long bodies.
func NewBodies(shares bool) *Bodies {
	b := &Bodies{
		perAddress: longAtOnce,
		places:     semaphore.NewWeighted(longAtOnce),
		decoding:   semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2))),
		from:       map[netip.Addr]int{},
	}
	if shares {
		b.perAddress = longFromAddress
	}
	return b
}

var errLongBodies = apierr.New(apierr.Unavailable, "too many requests with long bodies are in progress; try again")

// take waits for a place for a long body. Errors: apierr.Unavailable.
func (b *Bodies) take(ctx context.Context, from netip.Addr) error {
	b.mu.Lock()
	full := b.from[from] >= b.perAddress
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
func (b *Bodies) giveBack(from netip.Addr) {
	b.places.Release(1)
	b.leave(from)
}

func (b *Bodies) leave(from netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from[from]--; b.from[from] <= 0 {
		delete(b.from, from)
	}
}

// unbounded is for handlers that tests call without an engine.
var unbounded = NewBodies(false)

var shortBodies = sync.Pool{New: func() any { return new([shortBody]byte) }}

// decodeBody reads the body, of at most limit bytes, and calls decode with it, in
// which it must not be kept. A long body needs a place first.
func decodeBody(c *gin.Context, limit int64, decode func(body []byte) error) error {
	n := c.Request.ContentLength
	if n > limit {
		c.Writer.Header()["Connection"] = connClose
		return errTooLarge
	}
	short := shortBodies.Get().(*[shortBody]byte)
	defer shortBodies.Put(short)
	if n < 0 {
		n = shortBody
	}
	head := short[:min(n, shortBody)]
	got, err := io.ReadFull(c.Request.Body, head)
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
	if err := bodies.take(c.Request.Context(), x.address); err != nil {
		if c.Request.ProtoMajor == 1 {
			c.Writer.Header()["Connection"] = connClose // the body is not read
		}
		return err
	}
	defer bodies.giveBack(x.address)
	control := http.NewResponseController(x)
	_ = control.SetReadDeadline(time.Now().Add(longRead))
	body := append(make([]byte, 0, max(c.Request.ContentLength, 4*shortBody)), head...)
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
