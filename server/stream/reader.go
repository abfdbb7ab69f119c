package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/grantd/grantd/store"
)

// writeTimeout is how long a reader may take nothing before its stream ends.
const writeTimeout = 10 * time.Second

// End is why a stream ended.
type End string

// The reasons.
const (
	EndCredential End = "credential" // it ended, or gives no right anymore
	EndUnchecked  End = "unchecked"  // the credential could not be checked
	EndDrain      End = "drain"      // this replica stops
	EndSlow       End = "slow"       // the reader took nothing for too long
	EndLeft       End = "left"       // the reader did
)

// Ends lists the reasons.
var Ends = []End{EndCredential, EndUnchecked, EndDrain, EndSlow, EndLeft}

// Writer sends to a reader.
type Writer interface {
	// Write sends the chunks at once, within the time.
	Write(within time.Duration, chunks [][]byte) error
	// Extend lets the stream be silent for longer.
	Extend(within time.Duration)
	// Finish lets the writes from now on, and the one that waits, take no longer than
	// the time altogether. It may be called at the same time as the others.
	Finish(within time.Duration)
}

// reader is a stream.
type reader struct {
	hub      *Hub
	caller   Caller
	from     netip.Addr
	arrived  time.Duration
	group    *group
	wake     chan struct{}
	index    int // in Hub.readers
	sampled  bool
	progress progress
	resumed  Reset // what the reader must be told first; "": nothing

	mu           sync.Mutex
	registration *store.Client // as the reader was told, or must be
	writer       Writer        // nil: nothing is written
	changed      bool          // it must be told
	ended        End           // "": it goes on
}

// endTimeout is how long a reader has to take what is on the way, once its stream must
// end.
const endTimeout = time.Second

// end makes the stream end, for the first reason that it is given, even if a write to
// the reader waits.
func (r *reader) end(why End) {
	r.mu.Lock()
	if r.ended == "" {
		r.ended = why
		if r.writer != nil {
			r.writer.Finish(endTimeout)
		}
	}
	r.mu.Unlock()
	r.notify()
}

// register notes what grantd knows of the resource server now.
func (r *reader) register(rs *store.Client) {
	r.mu.Lock()
	changed := !sameRegistration(r.registration, rs)
	r.registration = rs
	r.changed = r.changed || changed
	r.mu.Unlock()
	if changed {
		r.notify()
	}
}

func (r *reader) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// notes returns what others noted since the last call.
func (r *reader) notes() (rs *store.Client, ended End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed {
		rs, r.changed = r.registration, false
	}
	return rs, r.ended
}

// serve writes to the reader until the stream ends, and returns why it did.
func (r *reader) serve(ctx context.Context, w Writer) End {
	defer r.write(w)()
	// What was registered when the caller authenticated: a change since then follows.
	head := appendRegistration(make([]byte, 0, 512), r.caller.Client, r.arrived)
	var chunks [][]byte
	silent := time.NewTimer(writeTimeout / 3)
	defer silent.Stop()
	for {
		now := r.hub.recent.Load()
		rs, ended := r.notes()
		if ended != "" {
			return r.finish(w, ended)
		}
		chunks = r.pull(chunks, head, now, rs)
		head = nil
		if len(chunks) > 0 {
			if err := w.Write(writeTimeout, chunks); err != nil {
				if _, ended := r.notes(); ended != "" {
					return ended
				}
				return endOf(err)
			}
			if r.sampled && len(now.batch) > len(now.fresh) {
				r.hub.o.Observe.ObserveDelay(r.hub.clock() - now.madeAt)
			}
			chunks = emptied(chunks)
			silent.Reset(writeTimeout / 3)
		}
		select {
		case <-r.wake:
		case <-silent.C:
			w.Extend(writeTimeout)
			silent.Reset(writeTimeout / 3)
		case <-ctx.Done():
			return EndLeft
		}
	}
}

// write notes that the reader is written to, until the function is called that it
// returns.
func (r *reader) write(w Writer) (done func()) {
	set := func(w Writer) {
		r.mu.Lock()
		r.writer = w
		r.mu.Unlock()
	}
	set(w)
	return func() { set(nil) }
}

// mostChunks is how many chunks a reader keeps room for. One that lacks much needs more
// than that, once.
const mostChunks = 64

// emptied returns the room of the chunks.
func emptied(chunks [][]byte) [][]byte {
	if cap(chunks) > mostChunks {
		return nil
	}
	clear(chunks)
	return chunks[:0]
}

// pull appends head and then what the reader lacks to chunks, which are empty. rs is
// its registration if that has changed.
func (r *reader) pull(chunks [][]byte, head []byte, now *recent, rs *store.Client) [][]byte {
	why := r.resumed
	r.resumed = ""
	if rs != nil {
		why, head = ResetRegistration, appendRegistration(head, rs, r.arrived)
	}
	if why != "" {
		r.progress.skip(now)
	}
	chunks, lost := r.progress.pull(append(chunks, nil), now)
	if lost != "" {
		why = lost
	}
	if why != "" {
		head = r.appendReset(head, why, now)
	}
	if head == nil {
		return append(chunks[:0], chunks[1:]...)
	}
	chunks[0] = head
	return chunks
}

func (r *reader) appendReset(b []byte, why Reset, now *recent) []byte {
	r.hub.o.Observe.CountReset(string(why))
	return r.hub.encode.appendReset(b, why, now.at)
}

// finish ends the stream. A reader whose credential still works is told when to open
// the next one.
func (r *reader) finish(w Writer, why End) End {
	if why != EndCredential {
		_ = w.Write(endTimeout, [][]byte{appendRetry(nil, retryTime())})
	}
	return why
}

// Bounds of the time after which a reader opens its next stream: all of them at once
// would be many.
const (
	shortestRetry = 100 * time.Millisecond
	longestRetry  = time.Second
)

func retryTime() time.Duration {
	return shortestRetry + rand.N(longestRetry-shortestRetry)
}

// endOf returns why a write failed.
func endOf(err error) End {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return EndSlow
	}
	return EndLeft
}
