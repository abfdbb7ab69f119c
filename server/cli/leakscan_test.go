package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/tokenadmin"
)

const scannedJSON = `{"found":[{"masked":"gs_sandbox_AAAAAAAA_abcd…","recognized":true,"kind":"client_secret","client_id":"a","secret_id":"AAAAAAAA","ended":false,` +
	`"last_use":{"last_used_at":"2026-01-02T03:04:05Z","last_used_ip":"192.0.2.1","use_count":3}},` +
	`{"masked":"gt_sandbox_abcd…","recognized":true,"kind":"token","client_id":"a","jti":"j1","ended":true,"already_ended":true,"ended_at":"2026-01-02T03:04:05Z"},` +
	`{"masked":"gs_live_BBBBBBBB_abcd…","recognized":false}]}`

// endedJSON is the begin of a list with a token that has ended.
const endedJSON = `{"found":[{"masked":"gt_sandbox_abcd…","recognized":true,"kind":"token","client_id":"a","jti":"j1","ended":false,"already_ended":true,"ended_at":"2026-01-02T03:04:05Z"}`

// Without --yes, nothing is ended and the exit code says that something was found.
func TestLeakScan(t *testing.T) {
	for _, row := range []struct {
		args  []string
		reply string
		want  int
		asked string
		says  string
	}{
		{[]string{"leak", "--scan"}, scannedJSON, exitFound, `POST /leaks {"check":true,"text":"a text\n"}`, "nothing was ended: repeat with --yes"},
		{[]string{"leak", "--scan", "--yes"}, scannedJSON, exitDone, `POST /leaks {"text":"a text\n"}`, ""},
		{[]string{"leak", "--scan"}, endedJSON + `]}`, exitDone, `POST /leaks {"check":true,"text":"a text\n"}`, "grantd: all of these have ended already\n"},
		{[]string{"leak", "--scan"}, endedJSON + `,{"masked":"gs_live_BBBBBBBB_abcd…","recognized":false}]}`, exitFound, `POST /leaks {"check":true,"text":"a text\n"}`, "none of these works here"},
		{[]string{"leak", "--scan"}, `{"found":[]}`, exitDone, `POST /leaks {"check":true,"text":"a text\n"}`, ""},
	} {
		f := newFakeAdmin(t, map[string]reply{"POST /leaks": {200, row.reply}})
		got := f.run(t, "a text\n", row.args...)
		if got.code != row.want || !slices.Equal(f.asked, []string{row.asked}) || !strings.Contains(got.err, row.says) {
			t.Errorf("%v: %+v, asked %q", row.args, got, f.asked)
		}
		if row.want == exitFound && row.reply == scannedJSON {
			golden(t, "leak-scan.txt", got.out)
		}
	}
	f := newFakeAdmin(t, map[string]reply{})
	for _, args := range [][]string{{"leak", "--scan", "--client", "a"}, {"leak", "--yes"}} {
		if got := f.run(t, "x", args...); got.code != exitUsage || len(f.asked) != 0 {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := f.run(t, strings.Repeat("x", maxScan+1), "leak", "--scan"); got.code != exitFailed || !strings.Contains(got.err, "longer than 1048576 bytes") {
		t.Errorf("too long: %+v", got)
	}
}

// A credential is whole in one of the parts of a text, whatever is around it.
func TestTextParts(t *testing.T) {
	const needle = "gs_live_AAAAAAAA_0000000000000000000000000000000000000000000"
	for _, filler := range []string{"x", "xxxxxxxxx\n", strings.Repeat("x", 9000) + "\n"} {
		for at := tokenadmin.MaxScan - 3000; at < tokenadmin.MaxScan+3000; at += 37 {
			text := strings.Repeat(filler, 3*tokenadmin.MaxScan/len(filler))
			text = text[:at] + needle + text[at:]
			whole, total := false, 0
			for part := range textParts(text) {
				whole = whole || strings.Contains(part, needle)
				total += len(part)
				if len(part) > tokenadmin.MaxScan {
					t.Fatalf("a part has %d bytes", len(part))
				}
			}
			if !whole || total > 2*len(text) {
				t.Fatalf("%d: whole %v, %d bytes of %d", at, whole, total, len(text))
			}
		}
	}
}

// A report shows an earlier end, the last use, and from where tokens were made.
func TestLeakShowsUses(t *testing.T) {
	const body = `{"kind":"client_secret","client_id":"a","secret_id":"AAAAAAAA","ended":true,"already_ended":true,"ended_at":"2026-01-02T03:04:05Z","ended_by":"uid:0",` +
		`"last_use":{"last_used_at":"2026-01-02T03:04:04Z","last_used_ip":"192.0.2.1","use_count":3},` +
		`"issues":[{"since":"2026-01-02T03:00:05Z","time":"2026-01-02T03:04:05Z","address":"192.0.2.1","addresses":3,"count":12},{"time":"2026-01-01T03:04:05Z","address":"2001:db8::1"}]}`
	f := newFakeAdmin(t, map[string]reply{"POST /leaks": {200, body}})
	golden(t, "leak.txt", f.run(t, "export X=found\n", "leak").out)
	if !slices.Equal(f.asked, []string{`POST /leaks {"credential":"export X=found"}`}) {
		t.Errorf("asked %q", f.asked)
	}
	for name, input := range map[string]string{"nothing": " \n", "too long": strings.Repeat("x", 5000)} {
		if got := f.run(t, input, "leak"); got.code != exitUsage || len(f.asked) != 0 {
			t.Errorf("%s: %+v, asked %q", name, got, f.asked)
		}
	}
}
