package gateway

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/grantd/grantd/server/extauthz"
	"github.com/grantd/grantd/server/web"
)

// put returns a field of protobuf.
func put(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(parts, nil))
}

// message is a call as Envoy sends it: a GET of /cards from an address, with one header
// and one context extension.
func message(authorization, from, scope string) []byte {
	pair := func(name, value string) []byte {
		return bytes.Join([][]byte{put(1, []byte(name)), put(2, []byte(value))}, nil)
	}
	attributes := put(1, put(1, put(1, put(1, put(2, []byte(from))))),
		put(4, put(2, put(2, []byte("GET")), put(4, []byte("/cards")), put(3, pair("authorization", authorization)))), put(10, pair("scope", scope)))
	return append([]byte{0, 0, 0, byte(len(attributes) >> 8), byte(len(attributes))}, attributes...)
}

// callOf sends a call to a handler with the options.
func callOf(t *testing.T, o Options, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	e, err := web.NewEngine(web.Options{Log: slog.New(slog.DiscardHandler), Refusals: map[string]func(*gin.Context, int) bool{PathCheck: RefuseCheck}})
	if err != nil {
		t.Fatal(err)
	}
	New(o).MountCheck(e)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, PathCheck, bytes.NewReader(body))
	r.ProtoMajor, r.RemoteAddr = 2, "127.0.0.1:4000"
	r.Header.Set("Content-Type", "application/grpc")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// TestCheck: the status of gRPC is always OK, and the message says what was decided. The
// cases are in tests/peers/envoy, which calls with Envoy's types.
func TestCheck(t *testing.T) {
	denied := func(status int, challenge string) []byte {
		return extauthz.Denied(status, []extauthz.Pair{{Name: "www-authenticate", Value: challenge}, {Name: "cache-control", Value: "no-store"}})
	}
	passes := extauthz.Allowed([]extauthz.Pair{
		{Name: "x-auth-client-id", Value: "shop"}, {Name: "x-auth-subject", Value: "client:shop"}, {Name: "x-auth-scope", Value: "users:read users:write"},
		{Name: "x-auth-token-use", Value: "client"}, {Name: "x-auth-customer-id"}, {Name: "x-auth-org-id", Value: "acme"}, {Name: "x-auth-partner-id"},
	})
	stranger := standard()
	stranger.Peer = func(*http.Request) error { return errStranger }
	for name, tc := range map[string]struct {
		o    Options
		body []byte
		want []byte
	}{
		"good":        {standard(), message("Bearer client", "203.0.113.7", "users:read"), passes},
		"no token":    {standard(), message("", "203.0.113.7", "users:read"), denied(401, plain)},
		"two headers": {standard(), message("Bearer client,Bearer client", "203.0.113.7", "users:read"), denied(401, invalid)},
		"scope":       {standard(), message("Bearer client", "203.0.113.7", "cards"), denied(403, lacking+`, scope="cards"`)},
		"empty scope": {standard(), message("Bearer client", "203.0.113.7", ""), denied(403, "")},
		"stranger":    {stranger, message("Bearer client", "203.0.113.7", "users:read"), denied(403, "")},
		"malformed":   {standard(), []byte("x"), denied(400, "")},
		"down": {standard(), message("Bearer down", "203.0.113.7", "users:read"), extauthz.Denied(503, []extauthz.Pair{
			{Name: "cache-control", Value: "no-store"}, {Name: "retry-after", Value: "1"},
		})},
	} {
		w := callOf(t, tc.o, tc.body)
		if w.Code != 200 || w.Result().Trailer.Get("Grpc-Status") != "0" || !bytes.Equal(w.Body.Bytes(), tc.want) {
			t.Errorf("%s: %d %v %q, want %q", name, w.Code, w.Result().Trailer, w.Body, tc.want)
		}
		if h := w.Header(); h.Get("WWW-Authenticate") != "" || h.Get("Retry-After") != "" || h.Get("Content-Type") != "application/grpc" {
			t.Errorf("%s: %v", name, h)
		}
	}
	var seen [][2]string
	o := standard()
	o.Observe = func(outcome, cause string) { seen = append(seen, [2]string{outcome, cause}) }
	for _, body := range [][]byte{message("Bearer client", "203.0.113.7", "users:read"), message("", "203.0.113.7", "users:read"), []byte("x"), make([]byte, web.MaxBody+1)} {
		callOf(t, o, body)
	}
	if diff := cmp.Diff([][2]string{{Passed, ""}, {Refused, "no_bearer_token"}, {Refused, "gateway_message"}, {Refused, "gateway_message"}}, seen); diff != "" {
		t.Error(diff)
	}
	compressed := append([]byte{1}, message("Bearer client", "203.0.113.7", "users:read")[1:]...)
	if w := callOf(t, standard(), compressed); w.Header().Get("Grpc-Status") != "12" || w.Body.Len() > 0 {
		t.Errorf("compressed: %v %q", w.Header(), w.Body)
	}
}
