package redisstore

import (
	"testing"

	"github.com/grantd/grantd/store/redisstore/wire"
)

// TestConfirm checks what becomes of a change at offset 100 of a master's stream,
// when two replicas are needed.
func TestConfirm(t *testing.T) {
	const run, history = "run", "history"
	at := func(run, history string, acked ...int64) wire.Replication {
		return wire.Replication{Place: wire.Place{Run: run, History: history, Offset: 200}, Acked: acked}
	}
	promoted := func(until int64, acked ...int64) wire.Replication {
		m := at("other", "new", acked...)
		m.Before, m.BeforeUntil = history, until
		return m
	}
	for _, row := range []struct {
		name            string
		masters         []wire.Replication
		incomplete      bool // a master did not respond
		confirmed, lost bool
		upTo            string // the run id of the master that must still confirm; "": none
	}{
		{name: "two replicas have it", masters: []wire.Replication{at(run, history, 100, 150, 0)}, confirmed: true},
		{name: "one replica has it", masters: []wire.Replication{at(run, history, 100, 99)}, upTo: run},
		{name: "no replica", masters: []wire.Replication{at(run, history)}, upTo: run},
		{name: "another master of a Cluster", masters: []wire.Replication{at("third", "third", 300, 300), at(run, history)}, upTo: run},
		{name: "its history has a new name", masters: []wire.Replication{at(run, "renamed", 100, 100)}, confirmed: true},
		{name: "its master does not respond", masters: []wire.Replication{at("third", "third", 300, 300)}, incomplete: true, upTo: run},
		{name: "its master is gone", masters: []wire.Replication{at("third", "third", 300, 300)}, confirmed: true, lost: true},
		{name: "a promoted replica had it", masters: []wire.Replication{promoted(100)}, upTo: "other"},
		{name: "a promoted replica had it, and two more do", masters: []wire.Replication{promoted(100, 100, 100)}, confirmed: true},
		{name: "a promoted replica lacks it", masters: []wire.Replication{promoted(99, 100, 100)}, confirmed: true, lost: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var told []bool
			u := &unconfirmed{told: func(is bool) { told = append(told, is) }}
			u.add(wire.Place{Run: run, History: history, Offset: 50})
			u.add(wire.Place{Run: run, History: history, Offset: 100})
			u.add(wire.Place{Run: run, History: history, Offset: 60})
			confirmed, lost, since := u.confirm(row.masters, 2, !row.incomplete)
			if confirmed != row.confirmed || lost != row.lost || since.IsZero() {
				t.Errorf("confirmed %t, lost %t, since %v", confirmed, lost, since)
			}
			still, ok := u.upTo[row.upTo]
			if u.any.Load() != (row.upTo != "") || ok != (row.upTo != "") || ok && still.Offset != 100 {
				t.Errorf("unconfirmed: %v", u.upTo)
			}
			if len(told) != 1 && row.upTo != "" || len(told) != 2 && row.upTo == "" {
				t.Errorf("told %v", told)
			}
		})
	}
}
