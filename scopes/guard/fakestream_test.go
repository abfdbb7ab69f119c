package guard

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// key returns the text of a void key.
func key(n uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, n))
}

func at(n uint64) string { return position{7, n}.String() }

// add makes a token that ends with the keys, an hour from now.
func (s *fakeServer) add(token string, extra string, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = fmt.Sprintf(`"active":true,"scope":"users:read","client_id":"shop","token_type":"Bearer","exp":%d,"iat":1,"sub":"client:shop","iss":%q,"jti":"j","token_use":"client"%s,"void_keys":["%s"]`,
		time.Now().Add(s.clockAhead+time.Hour).Unix(), fakeIssuer, extra, strings.Join(keys, `","`))
}

// void ends every token with the key, and tells the streams.
func (s *fakeServer) void(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position++
	v := fakeVoid{s.position, key}
	s.voids = append(s.voids, v)
	for token, members := range s.tokens {
		if strings.Contains(members, `"`+key+`"`) {
			delete(s.tokens, token)
		}
	}
	s.tellAll(v.text())
}

// collide sends a void of the key that ends no token: another principal has it too.
func (s *fakeServer) collide(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position++
	s.tellAll(fakeVoid{s.position, key}.text())
}

func (v fakeVoid) text() string {
	return fmt.Sprintf("event: void\nid: %s\ndata: {\"keys\":[%q]}\n\n", at(v.at), v.key)
}

// reset tells every stream to drop everything, with the registration before it.
func (s *fakeServer) reset(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position++
	s.tellAll(s.registered(s.now()) + s.resetText(reason))
}

func (s *fakeServer) resetText(reason string) string {
	return fmt.Sprintf("event: reset\nid: %s\ndata: {\"reason\":%q}\n\n", at(s.position), reason)
}

func (s *fakeServer) now() int64 { return time.Since(s.origin).Milliseconds() }

func (s *fakeServer) registered(atMS int64) string {
	return fmt.Sprintf("event: registration\ndata: {%s,\"at_ms\":%d}\n\n", s.registration, atMS)
}

func (s *fakeServer) freshText() string {
	return fmt.Sprintf("event: fresh\nid: %s\ndata: {\"age_ms\":%d,\"at_ms\":%d}\n\n", at(s.position), s.age.Milliseconds(), s.now())
}

// tell queues an event for a stream. s.mu is held.
func (s *fakeServer) tell(to *fakeStream, text string) {
	for range map[bool]int{false: 1, true: 2}[s.twice] {
		select {
		case to.queue <- queued{text, time.Now().Add(s.delay)}:
		default:
			s.t.Error("the queue of a stream is full")
		}
	}
}

func (s *fakeServer) tellAll(text string) {
	for _, to := range s.open {
		s.tell(to, text)
	}
}

// endStreams ends every stream, after a last text.
func (s *fakeServer) endStreams(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range s.open {
		if text != "" {
			s.tell(to, text)
		}
		to.once.Do(func() { close(to.end) })
	}
}

// stream serves one stream: it confirms the feed each 250 ms.
func (s *fakeServer) stream(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	if s.refused(w, r) {
		return
	}
	st := s.openStream(r, arrived)
	defer s.forget(st)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			s.mu.Lock()
			if !s.unconfirmed {
				s.tell(st, s.freshText())
			}
			s.mu.Unlock()
		case q := <-st.queue:
			for wait := time.Until(q.due); wait > 0; wait = time.Until(q.due) {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					s.mu.Lock()
					if !s.unconfirmed {
						s.tell(st, s.freshText())
					}
					s.mu.Unlock()
				case <-time.After(wait):
				}
			}
			if _, err := io.WriteString(w, q.text); err != nil || flush() != nil {
				return
			}
		case <-st.end:
			for len(st.queue) > 0 {
				_, _ = io.WriteString(w, (<-st.queue).text)
			}
			return
		}
	}
}

// openStream queues what a stream begins with.
func (s *fakeServer) openStream(r *http.Request, arrived int64) *fakeStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &fakeStream{queue: make(chan queued, 10_000), end: make(chan struct{})}
	s.streamed++
	s.resumed = append(s.resumed, r.Header.Get("Last-Event-ID"))
	s.tell(st, s.registered(arrived))
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		if s.resetReason != "" {
			s.tell(st, s.resetText(s.resetReason))
			s.resetReason = ""
		} else {
			for _, v := range s.voids {
				if at(v.at) > last {
					s.tell(st, v.text())
				}
			}
		}
	}
	if !s.unconfirmed {
		s.tell(st, s.freshText())
	}
	s.open = append(s.open, st)
	return st
}

func (s *fakeServer) forget(st *fakeStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o *fakeStream) bool { return o == st })
}
