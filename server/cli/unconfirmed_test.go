package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestUnconfirmed checks that a change that no replica of Redis has confirmed is shown
// as usual, with a note and exit code 4.
func TestUnconfirmed(t *testing.T) {
	const note = `"state":"unconfirmed","state_detail":"in force now, but no replica"`
	f := newFakeAdmin(t, map[string]reply{
		"POST /clients/cart/secrets":    {202, `{"client_id":"cart","client_secret":"gs_1",` + note + `}`},
		"DELETE /clients/cart":          {202, `{` + note + `}`},
		"POST /clients/cart/deactivate": {202, `{"client_id":"cart",` + note + `}`},
	})
	for _, row := range []struct {
		args []string
		want string // in the table
		has  string // a member of the JSON
	}{
		{[]string{"client", "rotate-secret", "cart"}, "gs_1", "client_secret"},
		{[]string{"client", "delete", "cart"}, "is deleted", "deleted"},
		{[]string{"client", "deactivate", "cart"}, "is deactivated", "client_id"},
	} {
		got := f.run(t, "", row.args...)
		if got.code != exitUnconfirmed || !strings.Contains(got.out, row.want) || !strings.Contains(got.err, "grantd: in force now, but no replica") {
			t.Errorf("%v: %+v", row.args, got)
		}
		got = f.run(t, "", append(row.args, "--output", "json")...)
		var body map[string]string
		if err := json.Unmarshal([]byte(got.out), &body); err != nil || got.code != exitUnconfirmed || body["state"] != "unconfirmed" || body["state_detail"] == "" || body[row.has] == "" {
			t.Errorf("%v as JSON: %+v, %v", row.args, got, err)
		}
	}
}
