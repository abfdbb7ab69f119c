package stream

import (
	"fmt"
	"testing"
	"time"
)

func TestDoors(t *testing.T) {
	var d doors
	d.init(Limits{Readers: 4, PerClient: 3})
	now := time.Now()
	enter := func(client, want string) {
		t.Helper()
		refused, err := d.enter(client, now)
		if refused != want || (err == nil) != (want == "") {
			t.Errorf("%s: %q %v, want %q", client, refused, err, want)
		}
	}
	for range 3 {
		enter("a", "")
	}
	enter("a", RefusedClient)
	enter("b", "")
	enter("b", RefusedReplica)
	d.leave("a")
	enter("b", "")
	enter("c", RefusedReplica)
	for range 3 {
		d.leave("b")
		enter("b", "")
	}
	if d.open.Load() != 4 {
		t.Errorf("%d are open", d.open.Load())
	}
}

func TestOpeningRate(t *testing.T) {
	var d doors
	d.init(Limits{Readers: 10, PerClient: 10})
	now := time.Now()
	open := func() (n int) {
		for n < 2*openBurst {
			if refused, _ := d.enter("a", now); refused == RefusedRate {
				return n
			}
			d.leave("a")
			n++
		}
		return n
	}
	if n := open(); n != openBurst {
		t.Errorf("at once: %d", n)
	}
	now = now.Add(time.Second)
	if n := open(); n != openRate {
		t.Errorf("in the second after that: %d", n)
	}
	if refused, _ := d.enter("b", now); refused != "" {
		t.Error("another client is refused")
	}
	d.leave("b")
}

// TestDoorsForget: clients without a stream take no memory for long.
func TestDoorsForget(t *testing.T) {
	var d doors
	d.init(Limits{Readers: 10, PerClient: 10})
	now := time.Now()
	if _, err := d.enter("stays", now); err != nil {
		t.Fatal(err)
	}
	for i := range 10 * mostDoors {
		id := fmt.Sprint(i)
		if _, err := d.enter(id, now); err != nil {
			t.Fatal(err)
		}
		d.leave(id)
		now = now.Add(time.Second)
	}
	if len(d.of) > mostDoors+1 {
		t.Errorf("%d clients are remembered", len(d.of))
	}
	d.leave("stays")
}

// TestLastStreamsAreForOthers: a client that opens all that it may leaves some.
func TestLastStreamsAreForOthers(t *testing.T) {
	var d doors
	d.init(Limits{Readers: 80, PerClient: 80})
	now := time.Now()
	for i := range 80 {
		if refused, _ := d.enter("many", now); (refused == RefusedReplica) != (i >= 70) {
			t.Errorf("stream %d: %q", i, refused)
		}
	}
	for i := range 10 {
		if refused, err := d.enter("few", now); err != nil {
			t.Errorf("stream %d of another client: %s", i, refused)
		}
	}
	if refused, _ := d.enter("few", now); refused != RefusedReplica {
		t.Errorf("one too many: %q", refused)
	}
}
