package guard

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"
)

// event is one event of the stream of revocations (Server-Sent Events, WHATWG HTML
// §9.2). Its data is valid until the next one is read.
type event struct {
	name, id string
	data     []byte
	retry    time.Duration // 0: none
}

// Names of events.
const (
	eventRegistration = "registration"
	eventReset        = "reset"
	eventVoid         = "void"
	eventFresh        = "fresh"
)

// Limits of the stream.
const (
	maxLine   = 64 << 10
	maxLines  = 64 // of one event, with comments
	maxRetry  = time.Minute
	maxMillis = 1 << 40 // 34 years: sums and differences of three such times fit in a time.Duration
)

var (
	errLine     = errors.New("the stream of revocations has a line that is too long")
	errEvent    = errors.New("the stream of revocations has a malformed event")
	errNoEvents = errors.New("the stream of revocations has an event with too many lines")
)

// eventReader reads events strictly: what SSE would repair or ignore within an event
// ends the stream, because the guard must not miss a revocation.
type eventReader struct {
	in   *bufio.Reader
	line []byte
	data []byte
}

func newEventReader(in io.Reader) *eventReader {
	return &eventReader{in: bufio.NewReaderSize(in, 4<<10)}
}

// next returns the next event. An event that the end of the stream cuts off is not
// returned. Errors: io.EOF between events, io.ErrUnexpectedEOF within one, and what
// is wrong with an event.
func (r *eventReader) next() (event, error) {
	var e event
	r.data = r.data[:0]
	for lines := 0; ; {
		line, err := r.readLine()
		switch {
		case errors.Is(err, io.EOF) && (lines > 0 || len(line) > 0):
			return event{}, io.ErrUnexpectedEOF
		case err != nil:
			return event{}, err
		case len(line) == 0 && lines == 0:
			continue // between events, also after a comment
		case len(line) == 0:
			e.data = r.data
			return e, nil
		case line[0] == ':':
			continue
		}
		if lines++; lines > maxLines {
			return event{}, errNoEvents
		}
		if err := r.field(&e, line); err != nil {
			return event{}, err
		}
	}
}

// field reads one line of an event.
func (r *eventReader) field(e *event, line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	if len(value) == 0 {
		return errEvent
	}
	switch string(name) {
	case "event":
		if e.name != "" {
			return errEvent
		}
		e.name = string(value)
	case "id":
		if e.id != "" {
			return errEvent
		}
		e.id = string(value)
	case "data":
		if len(r.data) > 0 {
			return errEvent
		}
		r.data = append(r.data, value...)
	case "retry":
		n, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil || e.retry != 0 {
			return errEvent
		}
		e.retry = min(time.Duration(n)*time.Millisecond, maxRetry)
	}
	return nil // an unknown field is for later versions
}

// readLine returns a line without its end. With io.EOF it returns what was left.
func (r *eventReader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if r.line = append(r.line, part...); len(r.line) > maxLine {
			return nil, errLine
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return r.line, err
		}
		line := bytes.TrimSuffix(r.line[:len(r.line)-1], []byte("\r"))
		if bytes.ContainsAny(line, "\r\x00") {
			return nil, errEvent
		}
		return line, nil
	}
}

// registrationData is the data of a registration event.
type registrationData struct {
	ClientID  *string  `json:"client_id"`
	TokenUses []string `json:"token_uses"`
	Enforces  []string `json:"enforces"`
	Resource  *string  `json:"resource"`
	At        *int64   `json:"at_ms"`
}

// freshData is the data of a fresh event.
type freshData struct {
	Age *int64 `json:"age_ms"`
	At  *int64 `json:"at_ms"`
}

func (e *event) registration() (Registration, time.Duration, error) {
	var d registrationData
	if json.Unmarshal(e.data, &d) != nil || d.ClientID == nil || d.Resource == nil || d.TokenUses == nil || d.Enforces == nil {
		return Registration{}, 0, errEvent
	}
	at, ok := millis(d.At)
	if !ok {
		return Registration{}, 0, errEvent
	}
	return Registration{ClientID: *d.ClientID, TokenUses: d.TokenUses, Enforces: d.Enforces, Resource: *d.Resource}, at, nil
}

func (e *event) fresh() (age, at time.Duration, err error) {
	var d freshData
	if json.Unmarshal(e.data, &d) != nil {
		return 0, 0, errEvent
	}
	age, ok := millis(d.Age)
	at, ok2 := millis(d.At)
	if !ok || !ok2 {
		return 0, 0, errEvent
	}
	return age, at, nil
}

func (e *event) voided() ([]uint64, error) {
	var d struct {
		Keys []string `json:"keys"`
	}
	if json.Unmarshal(e.data, &d) != nil || len(d.Keys) == 0 {
		return nil, errEvent
	}
	keys := make([]uint64, len(d.Keys))
	for i, k := range d.Keys {
		var err error
		if keys[i], err = parseVoidKey(k); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// millis bounds a time, so that nothing that is computed from it overflows.
func millis(n *int64) (time.Duration, bool) {
	if n == nil || *n < 0 || *n > maxMillis {
		return 0, false
	}
	return time.Duration(*n) * time.Millisecond, true
}
