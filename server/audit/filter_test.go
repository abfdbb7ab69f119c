package audit

import (
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func TestFilter(t *testing.T) {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	e := store.AuditEvent{
		Time: noon, Since: noon.Add(-5 * time.Minute), Actor: "uid:0", Action: "client.update", Target: "client:billing",
	}
	alone := e
	alone.Since = time.Time{}
	requested := e
	requested.RequestID = "6f1c2ab0"
	for name, tc := range map[string]struct {
		filter  Filter
		event   store.AuditEvent
		matches bool
	}{
		"none":                      {Filter{}, e, true},
		"all":                       {Filter{Actor: "uid:0", Action: "client.update", Target: "client:billing", Since: noon, Until: noon}, e, true},
		"actor":                     {Filter{Actor: "uid:0"}, e, true},
		"other actor":               {Filter{Actor: "uid:00"}, e, false},
		"action":                    {Filter{Action: "client.update"}, e, true},
		"part of the action":        {Filter{Action: "client"}, e, false},
		"target":                    {Filter{Target: "client:billing"}, e, true},
		"other target":              {Filter{Target: "client:bill"}, e, false},
		"request":                   {Filter{RequestID: "6f1c2ab0"}, requested, true},
		"other request":             {Filter{RequestID: "6f1c2ab0"}, e, false},
		"one of two":                {Filter{Actor: "uid:0", Action: "client.delete"}, e, false},
		"since before":              {Filter{Since: noon.Add(-1)}, e, true},
		"since then":                {Filter{Since: noon}, e, true},
		"since after":               {Filter{Since: noon.Add(1)}, e, false},
		"until after":               {Filter{Until: noon.Add(1)}, alone, true},
		"until then":                {Filter{Until: noon}, alone, false},
		"until while it gathered":   {Filter{Until: noon.Add(-time.Minute)}, e, true},
		"until before it gathered":  {Filter{Until: noon.Add(-5 * time.Minute)}, e, false},
		"since and until in it":     {Filter{Since: noon.Add(-time.Minute), Until: noon.Add(-1)}, e, true},
		"since and until before it": {Filter{Since: noon.Add(-time.Hour), Until: noon.Add(-30 * time.Minute)}, e, false},
	} {
		if got := tc.filter.Match(tc.event); got != tc.matches {
			t.Errorf("%s: %v", name, got)
		}
		if tc.filter.IsZero() != (name == "none") {
			t.Errorf("%s: IsZero", name)
		}
	}
	for since, ends := range map[time.Time]bool{{}: false, noon: false, noon.Add(clockSkew): false, noon.Add(clockSkew + 1): true} {
		if (Filter{Since: since}).EndsAt(e) != ends {
			t.Errorf("since %s: EndsAt is not %v", since, ends)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"24h": now.Add(-24 * time.Hour), "7d": now.Add(-7 * 24 * time.Hour), "90s": now.Add(-90 * time.Second), "0s": now, "1h30m": now.Add(-90 * time.Minute),
		"2026-01-01T00:00:00Z": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "2026-01-01T01:00:00+01:00": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "yesterday", "-1h", "24", "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z", "1h ago"} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
