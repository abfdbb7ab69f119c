package guard

import (
	"net/http"
	"sync/atomic"
	"time"
)

// verdict is what the authorization server said about one token. What is below
// checked does not change once the verdict is shared.
type verdict struct {
	checked  atomic.Uint64 // the generation of the view at which no void had ended it
	token    *Token
	keys     []uint64      // void keys
	position position      // of the feed, at which the token was active
	follows  bool          // keys and position are known
	coherent bool          // see view.meet
	epoch    uint64        // of the view when it was asked for
	sent     instant       // just before it was asked for
	lag      time.Duration // how old the server's knowledge was then, if follows
	deadline instant       // when it must not be used any more; never: the time of the server is not known
}

const (
	skew    = time.Second    // Date has whole seconds, and so has exp
	longest = 24 * time.Hour // nothing is kept for longer
)

// inactiveToken is the token of a verdict about a token that is not active.
var inactiveToken = &Token{Raw: []byte(inactiveRaw)}

// parseVerdict reads the body of an introspection.
func parseVerdict(body []byte) (*verdict, error) {
	t, f, err := parseToken(body)
	if err != nil {
		return nil, err
	}
	a := &verdict{token: t, deadline: never}
	if len(f.keys) == 0 {
		return a, nil
	}
	a.keys = make([]uint64, len(f.keys))
	for i, k := range f.keys {
		if a.keys[i], err = parseVoidKey(k); err != nil {
			return nil, err
		}
	}
	if a.position, err = parsePosition(f.position); err != nil {
		return nil, err
	}
	a.follows, a.lag = true, f.age
	return a, nil
}

// date notes when the verdict was asked for, and sets its deadline: by the monotonic
// clock of this machine and the clock of the server, which Date shows. Whatever the
// wall clock of this machine shows does not matter.
func (a *verdict) date(h http.Header, wall time.Time, sent instant) {
	a.sent = sent
	if !a.token.Active {
		return
	}
	server, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	a.token.setClock(server, wall)
	a.deadline = sent + min(a.token.ExpiresAt.Sub(server), longest) - skew
}
