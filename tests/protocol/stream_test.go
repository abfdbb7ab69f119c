package protocol_test

import (
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

const streamPath = "/oauth/revocations"

// TestStreamIsRefused has a row for each request that gets no stream: it is refused as
// an introspection is.
func TestStreamIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noRight := w.token(t, w.app, "")
	challenged := func(r row, challenge string) row {
		r.header = map[string]string{"WWW-Authenticate": challenge}
		return r
	}
	w.run(t, []row{
		failed("stream_no_authentication", get(streamPath)),
		failed("stream_wrong_credentials", get(streamPath, basicOf(w.rs.ClientID, "gs_sandbox_wrong"))),
		failed("stream_wrong_credentials/unknown", get(streamPath, basicOf("nobody", w.rs.ClientSecret))),
		{name: "stream_right", call: get(streamPath, basic(w.app)), status: 403, code: "access_denied", says: "introspect"},
		challenged(row{name: "stream_invalid_bearer", call: get(streamPath, bearer("made-up")), status: 401, code: "invalid_token"}, `Bearer realm="grantd", error="invalid_token"`),
		challenged(row{name: "stream_bearer_scope", call: get(streamPath, bearer(noRight)), status: 403, code: "insufficient_scope"},
			`Bearer realm="grantd", error="insufficient_scope", scope="introspect"`),
		refused("stream_two_headers", get(streamPath, basic(w.rs), basic(w.rs)), "more than one Authorization header"),
		refused("stream_url_credentials", get(streamPath+"?client_id=rs&client_secret="+w.rs.ClientSecret, basic(w.rs)), "must not be in the URL"),
		refused("stream_url_credentials/token", get(streamPath+"?access_token="+noRight), "must not be in the URL"),
		refused("stream_body", call{method: "GET", target: streamPath, headers: []string{basic(w.rs)}, body: "a"}, "must not have a body"),
		refused("stream_body/chunked", call{method: "GET", target: streamPath, headers: []string{basic(w.rs)}, body: "a", chunked: true}, "must not have a body"),
		{name: "stream_methods", call: form(streamPath, "a=b", basic(w.rs)), status: 405, code: badRequest, header: map[string]string{"Allow": "GET, HEAD"}},
		failed("stream_methods/head_without_credentials", call{method: "HEAD", target: streamPath}),
		{name: "stream_methods/head", call: call{method: "HEAD", target: streamPath, headers: []string{basic(w.rs)}}, status: 200, header: map[string]string{"Content-Type": "text/event-stream"},
			also: func(t *testing.T, r harness.Response) {
				if r.Body != "" {
					t.Errorf("body %q", r.Body)
				}
			}},
	})
}
