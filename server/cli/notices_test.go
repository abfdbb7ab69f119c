package cli

import (
	"strings"
	"testing"
)

// How the results of the webhook's commands are printed, and their exit codes.
func TestNotices(t *testing.T) {
	for _, tt := range []struct {
		args, response, out, err string
		code                     int
	}{
		{args: "notices show", response: `{"pending":2,"oldest_at":"2026-01-02T03:04:05Z","credentials_read_at":null}`,
			out: "pending              2\noldest_at            2026-01-02T03:04:05Z\ncredentials_read_at  -\n"},
		{args: "notices test", response: `{"notice_id":"n_1","delivered":true}`, out: "the webhook has accepted the notice n_1\n"},
		{args: "notices test", response: `{"notice_id":"n_1","delivered":false,"problem":"the receiver answered 401"}`,
			err: "grantd: the webhook did not accept the notice: the receiver answered 401\n", code: exitFailed},
		{args: "notices test --output json", response: `{"notice_id":"n_1","delivered":true}`, out: "{\n  \"notice_id\": \"n_1\",\n  \"delivered\": true\n}\n"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			f := newFakeAdmin(t, map[string]reply{"GET /notices": {200, tt.response}, "POST /notices/test": {200, tt.response}})
			f.run(t, "", strings.Fields(tt.args)...).is(t, result{tt.code, tt.out, tt.err})
		})
	}
}
