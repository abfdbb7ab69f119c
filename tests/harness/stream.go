package harness

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Event is a server-sent event.
type Event struct {
	Name, ID, Data string
	Got            time.Time
}

// Stream is an open stream of events.
type Stream struct {
	Header http.Header
	Events <-chan Event // closed when the stream ends
	Retry  func() string
	close  func()
}

// Close ends the stream.
func (s *Stream) Close() { s.close() }

// OpenStream opens a stream, which must begin. It is closed when the test ends. With a
// nil client it uses http.DefaultClient.
func OpenStream(t testing.TB, c *http.Client, req *http.Request) *Stream {
	t.Helper()
	if c == nil {
		c = http.DefaultClient
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("stream: %d", res.StatusCode)
	}
	events := make(chan Event, 10_000)
	retry := make(chan string, 1)
	go func() {
		defer close(events)
		var e Event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.Name = value
			case "id":
				e.ID = value
			case "data":
				e.Data = value
			case "retry":
				retry <- value
			case "":
				if e.Name != "" {
					e.Got = time.Now()
					events <- e
				}
				e = Event{}
			}
		}
		close(retry)
	}()
	return &Stream{Header: res.Header, Events: events, close: func() { _ = res.Body.Close() }, Retry: func() string { return <-retry }}
}

// patience is how long a test waits for an event.
const patience = 20 * time.Second

// Await returns the next event with the name for which is reports true; nil: any. It
// passes over others.
func (s *Stream) Await(t testing.TB, name string, is func(Event) bool) Event {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e, open := <-s.Events:
			switch {
			case !open:
				t.Fatalf("the stream ended before an event %s", name)
			case e.Name == name && (is == nil || is(e)):
				return e
			}
		case <-timer.C:
			t.Fatalf("no event %s", name)
		}
	}
}

// AwaitEnd returns when the stream has ended, and its last event.
func (s *Stream) AwaitEnd(t testing.TB) (last Event, at time.Time) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e, open := <-s.Events:
			if !open {
				return last, time.Now()
			}
			last = e
		case <-timer.C:
			t.Fatal("the stream does not end")
		}
	}
}
