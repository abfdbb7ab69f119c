package cli

import (
	"strings"
	"testing"
)

const signingKeysJSON = `{"signing_keys":[` +
	`{"kid":"OYK784VKOmStqWR3j59tK_z9aJyBOQi4XyXPxAOutW0","state":"retired","created_at":"2026-01-02T03:04:05Z","signs_since":"2026-01-02T03:04:05Z","retired_at":"2026-04-03T03:04:05Z","published_until":"2026-05-03T03:04:05Z"},` +
	`{"kid":"APXFzGbOg2907spfyrFb1TU8pwEVETIi0KJv3JLmaOU","state":"next","created_at":"2026-01-02T03:04:05Z","signs_since":"2026-01-03T03:04:05Z","retired_at":null,"published_until":null}]}`

const signingKeysTable = `KID                                          STATE    CREATED_AT            SIGNS_SINCE           RETIRED_AT            PUBLISHED_UNTIL
OYK784VKOmStqWR3j59tK_z9aJyBOQi4XyXPxAOutW0  retired  2026-01-02T03:04:05Z  2026-01-02T03:04:05Z  2026-04-03T03:04:05Z  2026-05-03T03:04:05Z
APXFzGbOg2907spfyrFb1TU8pwEVETIi0KJv3JLmaOU  next     2026-01-02T03:04:05Z  2026-01-03T03:04:05Z  -                     -
`

// How the results of the commands are printed, and what they ask for.
func TestSigningKeys(t *testing.T) {
	const kid = "OYK784VKOmStqWR3j59tK_z9aJyBOQi4XyXPxAOutW0"
	for _, tt := range []struct {
		args, asked, out, err string
		code                  int
	}{
		{args: "signing-key list", asked: "GET /signing-keys", out: signingKeysTable},
		{args: "signing-key rotate", asked: `POST /signing-keys/rotate {"now":false}`, out: signingKeysTable},
		{args: "signing-key rotate --now", asked: `POST /signing-keys/rotate {"now":true}`, out: signingKeysTable},
		{args: "signing-key remove " + kid, asked: "DELETE /signing-keys/" + kid, out: "signing key " + kid + " is removed, and what it signed can no longer be verified\n"},
		{args: "signing-key remove --output json " + kid, asked: "DELETE /signing-keys/" + kid, out: "{\n  \"removed\": \"" + kid + "\"\n}\n"},
		{args: "signing-key remove gone", asked: "DELETE /signing-keys/gone", err: "grantd: there is no signing key with this id\n", code: exitFailed},
	} {
		t.Run(tt.args, func(t *testing.T) {
			f := newFakeAdmin(t, map[string]reply{
				"GET /signing-keys": {200, signingKeysJSON}, "POST /signing-keys/rotate": {200, signingKeysJSON},
				"DELETE /signing-keys/" + kid: {204, ""}, "DELETE /signing-keys/gone": {404, `{"error":"not_found","error_description":"there is no signing key with this id"}`},
			})
			f.run(t, "", strings.Fields(tt.args)...).is(t, result{tt.code, tt.out, tt.err})
			if got := strings.Join(f.asked, "\n"); got != tt.asked {
				t.Errorf("asked %q, want %q", got, tt.asked)
			}
		})
	}
}
