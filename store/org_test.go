package store

import (
	"testing"
	"time"
)

// Records of an older grantd do not say which org with their id they belong to.
// They belong to one that was there when they were made.
func TestOrgOfOldRecords(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		rule        string
		org, record uint64 // incarnations
		later       time.Duration
		want        bool
	}{
		{"both without", 0, 0, -time.Hour, true},
		{"made in the same second", 0, 0, 0, true},
		{"the org was made by the call that made the client", 5, 0, time.Second, true},
		{"an old record, and a later org", 5, 0, time.Hour, false},
		{"an old record, and a later org without incarnation", 0, 0, time.Hour, false},
		{"the same", 5, 5, time.Hour, true},
		{"another", 5, 6, -time.Hour, false},
		{"an org without, a record with", 0, 6, -time.Hour, false},
	} {
		o := Org{Incarnation: row.org, Head: Head{CreatedAt: now.Add(row.later)}}
		if o.Owns(row.record, now) != row.want {
			t.Errorf("%s: %v", row.rule, !row.want)
		}
	}
}
