package cli

import (
	"strings"
	"testing"
)

// TestAuditDetail: refusals that differ only in their cause look different in the table,
// and so do limits.
func TestAuditDetail(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"GET /audit?limit=50": {200, `{"events":[
		{"time":"2026-01-02T03:04:05Z","action":"client.authentication_refused","target":"client:a","outcome":"invalid_client","actor":"anonymous","count":2,"after":{"cause":"wrong_secret"}},
		{"time":"2026-01-02T03:04:05Z","action":"client.authentication_refused","target":"client:a","outcome":"invalid_client","actor":"anonymous","count":2,"after":{"cause":"secret_ended"}},
		{"time":"2026-01-02T03:04:04Z","action":"limit.exceeded","target":"client:a","outcome":"done","actor":"client:a","count":9,"after":{"limit":"issue_limit"}},
		{"time":"2026-01-02T03:04:03Z","action":"client.update","target":"client:a","outcome":"done","actor":"uid:0","after":{"cause":7,"limit":["x"]}}]}`}})
	golden(t, "audit-detail.txt", f.run(t, "", "audit").out)
}

// TestAuditHelpNamesRequestExplain: gathered events have no request id, so the help says
// where such a request is found.
func TestAuditHelpNamesRequestExplain(t *testing.T) {
	f := newFakeAdmin(t, nil)
	if out := f.run(t, "", "audit", "--help").out; !strings.Contains(out, "'grantd request explain' finds such a request") {
		t.Errorf("--help: %s", out)
	}
}
