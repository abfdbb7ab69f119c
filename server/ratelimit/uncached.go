package ratelimit

import "time"

const (
	// hintEvery and hintAbove: a client that requests more tokens than this in a
	// minute, although they live long, does not cache them.
	hintEvery   = time.Minute
	hintAbove   = 30
	hintMinLife = 5 * time.Minute
)

// ReportUncached logs, once a minute, the clients that request tokens instead of
// caching them. It forgets clients that requested none.
func (q *Quota) ReportUncached() {
	now := q.o.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.hinted) < hintEvery {
		return
	}
	q.hinted = now
	for id, c := range q.clients {
		if q.o.Chatty != nil && c.minute > hintAbove && c.life >= hintMinLife {
			q.o.Chatty()
			q.o.Log.Warn("client requests tokens instead of caching them", "client_id", id,
				"tokens_last_minute", c.minute, "token_lives_seconds", int64(c.life/time.Second))
		}
		if c.minute == 0 && c.pending == 0 && !now.Before(c.until) {
			delete(q.clients, id)
		}
		c.minute = 0
	}
}
