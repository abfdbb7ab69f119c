package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/store"
)

func at(seq uint64) store.Position { return store.Position{Seq: seq} }

// someRecent has the events 10 and 11, at the positions 3 and 5, and a batch for those
// who lack the second one.
func someRecent() *recent {
	r := &recent{generation: 1, first: 10, base: at(2), at: at(6), fresh: []byte("fresh "), freshNumber: 7, freshAt: 100}
	r.add([]frame{{at(3), []byte("three ")}, {at(5), []byte("five ")}})
	r.known = []store.Position{at(2)}
	r.know([]feed.Applied{{Position: at(3)}, {Position: at(5)}, {Position: at(6)}})
	r.batchFrom, r.batch = 11, []byte("five fresh ")
	return r
}

func TestPull(t *testing.T) {
	for name, c := range map[string]struct {
		p      progress
		change func(*recent)
		want   string
		why    Reset
	}{
		"has everything":         {p: progress{1, 12, 7, 0}, want: ""},
		"lacks fresh":            {p: progress{1, 12, 6, 0}, want: "fresh "},
		"lacks the batch":        {p: progress{1, 11, 6, 0}, want: "five fresh "},
		"has fresh, not events":  {p: progress{1, 11, 7, 0}, want: "five "},
		"lacks more":             {p: progress{1, 10, 6, 0}, want: "three five fresh "},
		"began after fresh":      {p: progress{1, 11, 0, 101}, want: "five "},
		"too far behind":         {p: progress{1, 9, 6, 0}, want: "fresh ", why: ResetBehind},
		"another generation":     {p: progress{0, 11, 6, 0}, change: func(r *recent) { r.why = ResetKeys }, want: "fresh ", why: ResetKeys},
		"the feed is not fresh":  {p: progress{1, 11, 6, 0}, change: func(r *recent) { r.fresh, r.batch = nil, []byte("five ") }, want: "five "},
		"nothing new, not fresh": {p: progress{1, 12, 6, 0}, change: func(r *recent) { r.fresh = nil }, want: ""},
	} {
		r := someRecent()
		if c.change != nil {
			c.change(r)
		}
		chunks, why := c.p.pull(nil, r)
		got := ""
		for _, chunk := range chunks {
			got += string(chunk)
		}
		if got != c.want || why != c.why || c.p.next != 12 || c.p.generation != 1 {
			t.Errorf("%s: %q, reset %q, then %+v; want %q, reset %q", name, got, why, c.p, c.want, c.why)
		}
		if chunks, why := c.p.pull(nil, r); why != "" || len(chunks) > 0 {
			t.Errorf("%s: again %q, reset %q", name, chunks, why)
		}
	}
}

func TestAfter(t *testing.T) {
	r := someRecent()
	for seq, want := range map[uint64]uint64{2: 10, 3: 11, 5: 12, 6: 12} {
		if got, ok := r.after(at(seq)); !ok || got != want {
			t.Errorf("after %d: event %d %v, want %d", seq, got, ok, want)
		}
	}
	for _, seq := range []uint64{0, 1, 4, 7} {
		if got, ok := r.after(at(seq)); ok {
			t.Errorf("after %d: event %d", seq, got)
		}
	}
}

// TestAfterALoss: the store lost entries, and its clock went back. A position from
// before is never one to go on from: not when later ones have passed it, and not if it
// is where the feed was when it was read again.
func TestAfterALoss(t *testing.T) {
	r := someRecent()
	r.reset(ResetRecovered, at(3))
	for seq := uint64(8); seq < 20; seq += 2 { // they pass 5, which readers have come to
		r.add([]frame{{at(seq), nil}})
		r.know([]feed.Applied{{Position: at(seq - 1)}, {Position: at(seq)}})
		r.at = at(seq)
	}
	for seq, want := range map[uint64]bool{2: false, 3: false, 5: false, 6: false, 7: true, 8: true, 18: true, 20: false} {
		if _, ok := r.after(at(seq)); ok != want {
			t.Errorf("after %d: %v", seq, ok)
		}
	}
	for seq := uint64(20); seq < 4*maxKnown; seq++ {
		r.know([]feed.Applied{{Position: at(seq)}})
	}
	if len(r.known) > maxKnown || r.known[len(r.known)-1] != at(4*maxKnown-1) {
		t.Errorf("%d positions are known, up to %v", len(r.known), r.known[len(r.known)-1])
	}
}

// TestRecentIsBounded adds far more than is kept. What a reader got before stays as it
// was.
func TestRecentIsBounded(t *testing.T) {
	r := &recent{generation: 1}
	var before recent
	for i := range uint64(4 * maxRecent) {
		r.add([]frame{{at(i + 1), []byte(strings.Repeat("x", 100))}})
		if i == maxRecent/2 {
			before = *r
		}
		if len(r.frames) > maxRecent || r.bytes > maxRecentBytes || r.end() != i+1 || r.base != at(r.first) {
			t.Fatalf("%d events, %d bytes, the next is %d, base %v of %d", len(r.frames), r.bytes, r.end(), r.base, r.first)
		}
	}
	if before.frames[maxRecent/2].at != at(maxRecent/2+1) || before.frames[0].at != at(1) {
		t.Error("what was published has changed")
	}
	r.add([]frame{{at(1 << 20), make([]byte, 2*maxRecentBytes)}})
	if r.bytes > maxRecentBytes {
		t.Errorf("%d bytes", r.bytes)
	}
	end := r.end()
	r.reset(ResetRecovered, at(9))
	if r.first != end || r.end() != end || r.generation != 2 || r.base != at(9) {
		t.Errorf("after a reset: %+v", r)
	}
}

func TestEncode(t *testing.T) {
	var keys voidkeys.Encoder
	keys.Use([]byte("0123456789abcdef0123456789abcdef"))
	e := encoder{&keys}
	p := store.Position{Time: 1753488000123, Seq: 4}
	const id = "id: 6pvvddov0hcrcbltmuigj5vt8g\n"
	for _, c := range []struct{ got, want string }{
		{string(e.appendVoids(nil, []string{"client:shop"}, p)), "event: void\n" + id + "data: {\"keys\":[\"KF5LGJ8LzGs\"]}\n\n"},
		{string(e.appendFresh(nil, p, 11*time.Millisecond+1, 5*time.Second+999*time.Microsecond)), "event: fresh\n" + id + "data: {\"age_ms\":12,\"at_ms\":5000}\n\n"},
		{string(e.appendReset(nil, ResetBehind, p)), "event: reset\n" + id + "data: {\"reason\":\"behind\"}\n\n"},
		{string(appendRegistration(nil, &store.Client{ID: "rs"}, 1)), "event: registration\ndata: {\"client_id\":\"rs\",\"token_uses\":[\"client\"],\"enforces\":[],\"resource\":\"\",\"at_ms\":1}\n\n"},
		{string(appendRegistration(nil, &store.Client{ID: "rs", TokenUses: []store.TokenUse{"key", "partner"}, Enforces: []string{"source_ip"}, Resource: "https://a.example/\"\n"}, 0)),
			"event: registration\ndata: {\"client_id\":\"rs\",\"token_uses\":[\"key\",\"partner\"],\"enforces\":[\"source_ip\"],\"resource\":\"https://a.example/\\\"\\n\",\"at_ms\":0}\n\n"},
		{string(appendRetry(nil, 250*time.Millisecond)), "retry: 250\n\n"},
	} {
		if c.got != c.want {
			t.Errorf("got  %q\nwant %q", c.got, c.want)
		}
	}
	many := make([]string, 3)
	for i := range many {
		many[i] = fmt.Sprint("client:", i)
	}
	if got := string(e.appendVoids(nil, many, p)); strings.Count(got, `","`) != 2 {
		t.Errorf("three keys: %s", got)
	}
}
