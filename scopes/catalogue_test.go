package scopes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testdata has one catalog for each fault. Its first line, a comment, lists the
// parts that the error must contain, in order.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad_*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			says, _, _ := strings.Cut(string(b), "\n")
			c, err := Load(file)
			if err == nil || c != nil {
				t.Fatal("accepted")
			}
			for part := range strings.SplitSeq(strings.TrimPrefix(says, "# "), " | ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestGoodFile(t *testing.T) {
	c, err := Load("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []Scope{
		{Name: "invoices:read", Description: "Read invoices", ReadOnly: true},
		{Name: "invoices-write", Sensitive: true},
		{Name: "reports", ReadOnly: false, Sensitive: true, TTL: 15 * time.Minute},
		{Name: "audit-write", ReadOnly: true, Sensitive: false, TTL: 24 * time.Hour},
		{Name: "admin:read", Description: "Ours, renamed"},
		{Name: Introspect, Description: "Ask whether a token is active (a resource server)"},
		{Name: AdminWrite, Description: "Change through the admin API"},
		{Name: APITokens, Description: "List the API keys of the client's org"},
		{Name: APITokensWrite, Description: "Make and revoke API keys of the client's org", Sensitive: true},
	}
	if diff := cmp.Diff(want, c.List()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Unknown([]string{"reports", "users:read", "x"}); got != "users:read" {
		t.Errorf("first unknown: %q", got)
	}
	if set, err := c.Parse("reports users:read"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown one: %v %v", set, err)
	}
	if set, err := c.Parse("reports admin:write"); err != nil || len(set) != 2 {
		t.Errorf("known ones: %v %v", set, err)
	}
	if s, ok := c.Find("reports"); !ok || s.TTL != 15*time.Minute {
		t.Errorf("reports: %v %v", s, ok)
	}
}

func TestLoad(t *testing.T) {
	if c, err := Load(""); err != nil || len(c.Names()) != len(Default().Names()) {
		t.Errorf("no path is not the built-in catalogue: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a missing file is accepted")
	}
	if _, err := Decode([]byte(strings.Repeat("#", maxFile+1))); err == nil {
		t.Error("a file of more than 1 MiB is accepted")
	}
}

// The caller owns the result of List.
func TestListIsACopy(t *testing.T) {
	c := Default()
	c.List()[0].Name = "changed"
	if c.Names()[0] == "changed" {
		t.Error("the catalogue was changed")
	}
}
