package cli

import (
	"regexp"
	"slices"
	"testing"
)

// The client is sent only if --client names one.
func TestLeakRequests(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{"POST /leaks": {200, `{"kind":"client_secret","client_id":"billing","secret_id":"AAAAAAAA","ended":true}`}})
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"leak"}, `POST /leaks {"credential":"found"}`},
		{[]string{"leak", "--client", "billing"}, `POST /leaks {"client_id":"billing","credential":"found"}`},
	} {
		got := f.run(t, "found\n", row.args...)
		if got.code != exitDone || !slices.Equal(f.asked, []string{row.want}) {
			t.Errorf("%v: %+v, asked %q", row.args, got, f.asked)
		}
	}
	if got := f.run(t, "found\n", "leak", "--client="); got.code != exitUsage || len(f.asked) != 0 {
		t.Errorf("an empty client: %+v, asked %q", got, f.asked)
	}
}

// All secrets that have ended are shown.
func TestLeakOfSeveralSecrets(t *testing.T) {
	const body = `{"kind":"client_secret","client_id":"old","secret_id":"AAAAAAAA","secret_ids":["AAAAAAAA","BBBBBBBB"],"ended":true}`
	f := newFakeAdmin(t, map[string]reply{"POST /leaks": {200, body}})
	if got := f.run(t, "found\n", "leak", "--client", "old"); !regexp.MustCompile(`(?m)^secret_id +AAAAAAAA BBBBBBBB$`).MatchString(got.out) {
		t.Errorf("%+v", got)
	}
}

// A client with a weak secret, and the secret, are marked.
func TestWeakIsShown(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"GET /clients/old":         {200, `{"client_id":"old","active":true,"weak":true}`},
		"GET /clients/old/secrets": {200, `{"secrets":[{"id":"AAAAAAAA","weak":true},{"id":"BBBBBBBB"}]}`},
	})
	for _, row := range []struct{ command, pattern string }{
		{"show", `(?m)^weak_secret +yes$`}, {"secrets", `(?m)^AAAAAAAA .* yes\s*$`}, {"secrets", `(?m)^BBBBBBBB .* no\s*$`},
	} {
		if got := f.run(t, "", "client", row.command, "old"); !regexp.MustCompile(row.pattern).MatchString(got.out) {
			t.Errorf("client %s: %+v", row.command, got)
		}
	}
}
