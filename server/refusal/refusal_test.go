package refusal_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// TestGuideHasEveryCause: the section "A client is refused" has one row for each cause,
// and no other.
func TestGuideHasEveryCause(t *testing.T) {
	b, err := os.ReadFile("../../deploy/OPERATING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "### A client is refused\n")
	if !ok {
		t.Fatal("OPERATING.md has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]int{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(section, -1) {
		if row[1] != "cause" { // the head
			rows[row[1]]++
		}
	}
	for _, c := range refusal.All() {
		if rows[string(c)] != 1 {
			t.Errorf("%s has %d rows in OPERATING.md, want 1", c, rows[string(c)])
		}
		delete(rows, string(c))
	}
	for row := range rows {
		t.Errorf("OPERATING.md has a row for %s, which is no cause", row)
	}
}

// TestReasons: each cause is one word that no store's cause is, and says what is wrong
// and what to do.
func TestReasons(t *testing.T) {
	all := refusal.All()
	if len(all) < 40 {
		t.Fatalf("only %d causes", len(all))
	}
	for i, c := range all {
		r, ok := c.Reason()
		if !ok || r.Meaning == "" || r.Next == "" || store.Cause(c).Reason() != "" || i > 0 && all[i-1] == c {
			t.Errorf("%s: %v %+v", c, ok, r)
		}
		if !regexp.MustCompile(`^[a-z][a-z0-9_]+$`).MatchString(string(c)) || c.Error() != string(c) {
			t.Errorf("%q is not one plain word", c)
		}
	}
	if _, ok := refusal.Cause("store_full").Reason(); ok {
		t.Error("a cause of the store has a reason here")
	}
}

// TestAdviceForEndedSecrets: no secret that has ended works again, so nobody is told to
// give it more time.
func TestAdviceForEndedSecrets(t *testing.T) {
	for _, c := range []refusal.Cause{refusal.SecretEnded, refusal.SecretExpired, refusal.NoLiveSecret} {
		if r, _ := c.Reason(); strings.Contains(r.Next, "extend-secret") || !strings.Contains(r.Next, "rotate-secret") {
			t.Errorf("%s: %s", c, r.Next)
		}
	}
}
