package guard

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func readAll(in io.Reader) (all []event, err error) {
	r := newEventReader(in)
	for {
		e, err := r.next()
		if err != nil {
			return all, err
		}
		e.data = append([]byte(nil), e.data...)
		all = append(all, e)
	}
}

func TestEvents(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		want       []event
		err        error
	}{
		{"none", "", nil, io.EOF},
		{"one", "event: void\nid: a\ndata: {}\n\n", []event{{name: "void", id: "a", data: []byte("{}")}}, io.EOF},
		{"CR LF", "event: void\r\ndata: {}\r\n\r\n", []event{{name: "void", data: []byte("{}")}}, io.EOF},
		{"no space after the colon", "event:void\ndata:x\n\n", []event{{name: "void", data: []byte("x")}}, io.EOF},
		{"two spaces", "data:  x\n\n", []event{{data: []byte(" x")}}, io.EOF},
		{"comments and blank lines", ": hello\n\n\n:\nevent: a\n: within\n\n", []event{{name: "a"}}, io.EOF},
		{"retry", "retry: 1500\n\n", []event{{retry: 1500 * time.Millisecond}}, io.EOF},
		{"a long retry is bounded", "retry: 4000000000\n\n", []event{{retry: maxRetry}}, io.EOF},
		{"an unknown field", "event: a\nfuture: x\n\n", []event{{name: "a"}}, io.EOF},
		{"cut before the blank line", "event: a\ndata: x\n", nil, io.ErrUnexpectedEOF},
		{"cut within a line", "event: a\nda", nil, io.ErrUnexpectedEOF},
		{"cut within the first line", "ev", nil, io.ErrUnexpectedEOF},
		{"event twice", "event: a\nevent: b\n\n", nil, errEvent},
		{"id twice", "id: a\nid: b\n\n", nil, errEvent},
		{"data twice", "data: a\ndata: b\n\n", nil, errEvent},
		{"retry twice", "retry: 1\nretry: 2\n\n", nil, errEvent},
		{"retry that is no number", "retry: soon\n\n", nil, errEvent},
		{"negative retry", "retry: -1\n\n", nil, errEvent},
		{"no value", "event\n\n", nil, errEvent},
		{"an empty value", "data:\n\n", nil, errEvent},
		{"a lone CR", "event: a\rdata: x\n\n", nil, errEvent},
		{"a zero byte", "event: a\x00\n\n", nil, errEvent},
		{"a long line", "data: " + strings.Repeat("x", maxLine) + "\n\n", nil, errLine},
		{"a long line without an end", strings.Repeat("x", 2*maxLine), nil, errLine},
		{"many lines", strings.Repeat("x: y\n", maxLines+1) + "\n", nil, errNoEvents},
	} {
		for how, in := range map[string]io.Reader{"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text))} {
			got, err := readAll(in)
			if !errors.Is(err, c.err) || len(got) != len(c.want) {
				t.Errorf("%s, %s: %+v %v, want %+v %v", c.rule, how, got, err, c.want, c.err)
				continue
			}
			for i, e := range got {
				if w := c.want[i]; e.name != w.name || e.id != w.id || e.retry != w.retry || string(e.data) != string(w.data) {
					t.Errorf("%s, %s: %+v, want %+v", c.rule, how, e, w)
				}
			}
		}
	}
}

// TestEventData has a row for each reason to refuse the data of an event.
func TestEventData(t *testing.T) {
	for _, c := range []struct {
		rule, name, data string
		fine             bool
	}{
		{"void", eventVoid, `{"keys":["` + key(1) + `","` + key(2) + `"]}`, true},
		{"unknown members", eventVoid, `{"keys":["` + key(1) + `"],"later":1}`, true},
		{"no keys", eventVoid, `{"keys":[]}`, false},
		{"keys are missing", eventVoid, `{}`, false},
		{"a short key", eventVoid, `{"keys":["AAAA"]}`, false},
		{"a key with spare bits", eventVoid, `{"keys":["AAAAAAAAAAB"]}`, false},
		{"a key with a line break", eventVoid, `{"keys":["AAAAAAAAA\nA"]}`, false},
		{"a key of another alphabet", eventVoid, `{"keys":["AAAAAAAAA+A"]}`, false},
		{"a number as key", eventVoid, `{"keys":[1]}`, false},
		{"not JSON", eventVoid, `{"keys":["` + key(1) + `"]`, false},
		{"fresh", eventFresh, `{"age_ms":0,"at_ms":12}`, true},
		{"no age", eventFresh, `{"at_ms":12}`, false},
		{"no time", eventFresh, `{"age_ms":12}`, false},
		{"a negative age", eventFresh, `{"age_ms":-1,"at_ms":12}`, false},
		{"a negative time", eventFresh, `{"age_ms":1,"at_ms":-12}`, false},
		{"a fraction", eventFresh, `{"age_ms":1.5,"at_ms":12}`, false},
		{"a time that overflows as nanoseconds", eventFresh, `{"age_ms":1,"at_ms":9300000000000}`, false},
		{"an age that overflows as nanoseconds", eventFresh, `{"age_ms":9300000000000,"at_ms":1}`, false},
		{"a time that overflows", eventFresh, `{"age_ms":1,"at_ms":9223372036854775807}`, false},
		{"an age that overflows", eventFresh, `{"age_ms":9223372036854775807,"at_ms":1}`, false},
		{"registration", eventRegistration, `{"client_id":"rs","token_uses":[],"enforces":[],"resource":"","at_ms":1}`, true},
		{"no client", eventRegistration, `{"token_uses":[],"enforces":[],"resource":"","at_ms":1}`, false},
		{"no uses", eventRegistration, `{"client_id":"rs","enforces":[],"resource":"","at_ms":1}`, false},
		{"null for enforces", eventRegistration, `{"client_id":"rs","token_uses":[],"enforces":null,"resource":"","at_ms":1}`, false},
		{"no resource", eventRegistration, `{"client_id":"rs","token_uses":[],"enforces":[],"at_ms":1}`, false},
		{"no time of arrival", eventRegistration, `{"client_id":"rs","token_uses":[],"enforces":[],"resource":""}`, false},
	} {
		if err := readData(&event{name: c.name, data: []byte(c.data)}); (err == nil) != c.fine {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

func readData(e *event) (err error) {
	switch e.name {
	case eventVoid:
		_, err = e.voided()
	case eventFresh:
		_, _, err = e.fresh()
	case eventRegistration:
		_, _, err = e.registration()
	}
	return err
}

// TestBrokenStream has a row for each stream that ends at once; the guard is not fresh.
func TestBrokenStream(t *testing.T) {
	registration := `event: registration` + "\n" + `data: {"client_id":"rs","token_uses":["client"],"enforces":[],"resource":"","at_ms":1}` + "\n\n"
	fresh := `data: {"age_ms":0,"at_ms":1}` + "\n\n"
	for rule, text := range map[string]string{
		"no registration first":                           "event: fresh\nid: " + at(1) + "\n" + fresh,
		"a malformed position":                            registration + "event: fresh\nid: 1-1\n" + fresh,
		"a position in capitals":                          registration + "event: fresh\nid: " + strings.ToUpper(at(1)) + "\n" + fresh,
		"a void without an id":                            registration + "event: void\ndata: {\"keys\":[\"" + key(1) + "\"]}\n\n",
		"a reset without an id":                           registration + "event: reset\ndata: {\"reason\":\"keys\"}\n\n",
		"a malformed event":                               registration + "event: fresh\nevent: fresh\n\n",
		"a malformed void":                                registration + "event: void\nid: " + at(1) + "\ndata: {}\n\n",
		"a malformed fresh":                               registration + "event: fresh\nid: " + at(1) + "\ndata: {}\n\n",
		"two registrations, the second of them malformed": registration + "event: registration\ndata: {}\n\n",
	} {
		l := &link{client: &client{clock: func() instant { return 0 }, count: &counters{}}, view: newView(func() {}), cursor: &cursor{}, heard: func(Registration) {}, max: time.Second}
		l.ready, l.connected, l.watch = func() { t.Errorf("%s: it is believed", rule) }, &(&Guard{}).connected, time.NewTimer(time.Hour)
		if err := l.readEvents(strings.NewReader(text)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// TestTimesOfConfirmations has a row for each relation of the times of a stream. The
// request arrived at 1000 ms by the clock of the server, and was sent at 0 by that of
// the guard.
func TestTimesOfConfirmations(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		rule    string
		at      []int   // at_ms of each confirmation
		age     int     // age_ms of each
		now     instant // when they are read
		want    instant // as of when the view is complete, without rounding
		counted bool    // it was fresh at least once
		err     error   // that ends the stream
	}{
		{"as the request arrived", []int{1000}, 0, 10 * ms, 0, true, nil},
		{"later", []int{1200}, 0, 300 * ms, 200 * ms, true, nil},
		{"the age counts", []int{1200}, 50, 300 * ms, 150 * ms, true, nil},
		{"made for all readers before the request arrived", []int{800}, 0, 10 * ms, -200 * ms, true, nil},
		{"so long before that it is too old", []int{0}, 0, 10 * ms, -1000 * ms, false, nil},
		{"made before, and old enough to be too old with its age", []int{800}, 800, 10 * ms, -1000 * ms, false, nil},
		{"it cannot be made after it came", []int{5000}, 0, 300 * ms, 300 * ms, true, nil},
		{"the same time again", []int{1200, 1200}, 0, 300 * ms, 200 * ms, true, nil},
		{"a time that goes back, after the request", []int{1200, 1199}, 0, 300 * ms, 200 * ms, true, errAtRewinds},
		{"a time that goes back, before the request", []int{800, 799}, 0, 10 * ms, -200 * ms, true, errAtRewinds},
		{"the longest times", []int{maxMillis}, maxMillis, 10 * ms, 10*ms - maxMillis*ms, false, nil},
	} {
		var text strings.Builder
		text.WriteString("event: registration\ndata: {\"client_id\":\"rs\",\"token_uses\":[\"client\"],\"enforces\":[],\"resource\":\"\",\"at_ms\":1000}\n\n")
		for _, ms := range c.at {
			fmt.Fprintf(&text, "event: fresh\nid: %s\ndata: {\"age_ms\":%d,\"at_ms\":%d}\n\n", at(1), c.age, ms)
		}
		l := &link{client: &client{clock: func() instant { return c.now }, count: &counters{}}, view: newView(func() {}), cursor: &cursor{}, heard: func(Registration) {}, max: time.Second}
		counted := false
		l.ready, l.connected, l.watch = func() { counted = true }, &(&Guard{}).connected, time.NewTimer(time.Hour)
		err := l.readEvents(strings.NewReader(text.String()))
		if want := cmp.Or(c.err, io.EOF); !errors.Is(err, want) || counted != c.counted {
			t.Errorf("%s: believed %v, %v; want %v, %v", c.rule, counted, err, c.counted, want)
		}
		if got := instant(l.view.asOf.Load()); got > c.want || got < c.want-2*rounding {
			t.Errorf("%s: complete as of %v, want %v", c.rule, got, c.want)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("event: void\nid: " + at(1) + "\ndata: {\"keys\":[\"" + key(1) + "\"]}\n\n")
	f.Add("event: fresh\nid: " + at(1) + "\ndata: {\"age_ms\":1,\"at_ms\":2}\n\nretry: 5\n\n")
	f.Add("event: registration\ndata: {\"client_id\":\"rs\",\"token_uses\":[],\"enforces\":[],\"resource\":\"\",\"at_ms\":1}\n\n: x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readAll(strings.NewReader(text))
		if err == nil {
			t.Fatal("no error at the end")
		}
		again, err2 := readAll(iotest.OneByteReader(strings.NewReader(text)))
		if len(got) != len(again) || err.Error() != err2.Error() {
			t.Fatalf("%d events and %v, then %d and %v", len(got), err, len(again), err2)
		}
		for i := range got {
			if len(got[i].data) > maxLine || strings.ContainsAny(got[i].id, "\r\n\x00") {
				t.Errorf("%+v", got[i])
			}
			_ = readData(&got[i])
		}
		// What is appended after a whole stream is read too.
		if errors.Is(err, io.EOF) {
			more, _ := readAll(strings.NewReader(text + "event: last\n\n"))
			if len(more) != len(got)+1 {
				t.Errorf("%d events, and %d with one more", len(got), len(more))
			}
		}
	})
}

func FuzzPositionsAndKeys(f *testing.F) {
	f.Add(at(1), at(2))
	f.Add(strings.Repeat("v", 25)+"s", strings.Repeat("0", 26))
	f.Add(key(5), "AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, a, b string) {
		p, errA := parsePosition(a)
		q, errB := parsePosition(b)
		if errA == nil && p.String() != a {
			t.Errorf("%q became %q", a, p)
		}
		if errA == nil && errB == nil && p.after(q) != (a > b) {
			t.Errorf("%q and %q compare differently as text", a, b)
		}
		if k, err := parseVoidKey(a); err == nil && key(k) != a {
			t.Errorf("%q became %q", a, key(k))
		}
	})
}

func FuzzVerdict(f *testing.F) {
	f.Add(`{"active":true,"token_use":"client","sub":"client:a","exp":99,"void_keys":["` + key(1) + `"],"feed_position":"` + at(1) + `","feed_age_ms":0}`)
	f.Add(`{"active":false}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := parseVerdict([]byte(body))
		if err != nil {
			return
		}
		if a.follows != (len(a.keys) > 0) || len(a.keys) > maxVoidKeys || !a.token.Active && a.follows {
			t.Errorf("%q became %+v", body, a)
		}
	})
}
