package envoy

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/server/edge"
	"github.com/grantd/grantd/tests/capture"
)

// patience is for a machine that is busy with other tests.
const patience = 20 * time.Second

// tokens are those that the guard of the tests knows.
var tokens = map[string]guard.Token{
	"client":   {Use: "client", Subject: "client:shop", ClientID: "shop", OrgID: "acme", JTI: "j1", Scopes: []string{"users:read", "users:write"}},
	"customer": {Use: "customer", Subject: "customer:1", ClientID: "bank", CustomerID: "1", OrgID: "acme", Scopes: []string{"cards"}},
	"behalf":   {Use: "on_behalf", Subject: "org:acme", OrgID: "acme", PartnerID: "p", Scopes: []string{"cards"}, SourceIPs: []string{"203.0.113.0/24"}, Endpoints: []string{"GET /cards", "GET /cards/{id}"}},
	"near":     {Use: "client", Subject: "client:shop", ClientID: "shop", SourceIPs: []string{"203.0.113.7"}},
}

// fakeGuard knows the tokens. "down" cannot be checked, and "hangs" is not before the
// caller has lost patience.
type fakeGuard struct {
	waiting, most atomic.Int64  // calls at once
	block         chan struct{} // nil: nothing waits
}

func (g *fakeGuard) Introspect(ctx context.Context, token string, _ netip.Addr) (*guard.Token, error) {
	if g.block != nil {
		now := g.waiting.Add(1)
		defer g.waiting.Add(-1)
		for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
		}
		select {
		case <-g.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	switch token {
	case "down":
		return nil, &guard.Refusal{RetryAfter: 3 * time.Second}
	case "hangs":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	t, ok := tokens[token]
	t.Active = ok
	return &t, nil
}

func (*fakeGuard) State() guard.State {
	return guard.State{Fresh: true, Registered: true, StreamConnected: true}
}
func (*fakeGuard) Registration() (guard.Registration, bool) { return guard.Registration{}, true }
func (*fakeGuard) Close() error                             { return nil }

// rig is an edge and a client that calls it.
type rig struct {
	*edge.Edge
	auth.AuthorizationClient
	conn   *grpc.ClientConn
	target string
	logged *capture.Buffer
}

// settings returns the settings of an edge whose resource server has the secret.
func settings(t testing.TB, upstream, id, secret string) edge.Settings {
	t.Helper()
	dir, err := os.MkdirTemp("", "envoy-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return edge.Settings{
		Upstream: upstream, ClientID: id, SecretFile: file, Listen: "127.0.0.1:0",
		MaxEntries: 100, TokenUses: []string{"client", "customer", "on_behalf"}, Headers: "forwarded", Proxies: []string{"10.0.0.0/8"},
	}
}

// start starts an edge. g replaces its guard, unless it is nil.
func start(t testing.TB, s edge.Settings, g edge.Guard) *rig {
	t.Helper()
	x := &rig{logged: &capture.Buffer{}}
	var err error
	log := slog.New(slog.NewTextHandler(io.MultiWriter(x.logged), &slog.HandlerOptions{Level: slog.LevelDebug}))
	if x.Edge, err = edge.New(edge.Options{Settings: s, Log: log, Guard: g}); err != nil {
		t.Fatal(err)
	}
	if err := x.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.target = strings.TrimPrefix(x.URL(), "http://")
	x.conn = dial(t, x.target)
	x.AuthorizationClient = auth.NewAuthorizationClient(x.conn)
	t.Cleanup(x.stop)
	return x
}

func (x *rig) stop() {
	_ = x.conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = x.Stop(ctx)
}

func dial(t testing.TB, target string) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:"+target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithContextDialer(dialer))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// standard starts an edge with the fake guard.
func standard(t testing.TB) *rig {
	t.Helper()
	return start(t, settings(t, "http://127.0.0.1:1", "rs", "gs_sandbox_AAAAAAAA_0123456789012345678901234567890123456789012"), &fakeGuard{})
}

// call is a request as Envoy sees it.
type call struct {
	method, path, from string
	headers            map[string]string // as Envoy sends them without encode_raw_headers
	raw                [][2]string       // with it
	extensions         map[string]string
}

func (k call) request() *auth.CheckRequest {
	r := &auth.AttributeContext_HttpRequest{Method: k.method, Path: k.path, Headers: k.headers, Id: "1", Host: "api.example.com", Scheme: "https", Protocol: "HTTP/1.1"}
	if k.raw != nil {
		r.HeaderMap = &core.HeaderMap{}
		for _, h := range k.raw {
			r.HeaderMap.Headers = append(r.HeaderMap.Headers, &core.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
		}
	}
	a := &auth.AttributeContext{Request: &auth.AttributeContext_Request{Http: r}, ContextExtensions: k.extensions}
	if k.from != "" {
		a.Source = &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
			Address: k.from, PortSpecifier: &core.SocketAddress_PortValue{PortValue: 40000},
		}}}}
	}
	return &auth.CheckRequest{Attributes: a}
}

// bearer is a call for users:read with an Authorization header.
func bearer(value string) call {
	return call{method: "GET", path: "/users?limit=1", from: "203.0.113.7", headers: map[string]string{"authorization": value}, extensions: map[string]string{"scope": "users:read"}}
}

// outcome is what Envoy does: it passes the request on with these headers, or responds.
type outcome struct {
	passed  bool
	status  int
	headers map[string]string // of the request, or of the response
}

// apply does what Envoy does with a response (onSuccess of ext_authz_grpc_impl.cc,
// onComplete of the filter): the code of Status decides; headers are set, then removed.
func apply(t testing.TB, res *auth.CheckResponse, sent map[string]string) outcome {
	t.Helper()
	set := func(into map[string]string, headers []*core.HeaderValueOption) {
		for _, h := range headers {
			if h.GetAppend() != nil || h.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD { //nolint:staticcheck // older versions of Envoy read it
				t.Errorf("%s is not overwritten", h.GetHeader().GetKey())
			}
			if h.GetHeader().GetKey() != strings.ToLower(h.GetHeader().GetKey()) || h.GetHeader().GetValue() == "" {
				t.Errorf("header %q: %q", h.GetHeader().GetKey(), h.GetHeader().GetValue())
			}
			into[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
		}
	}
	o := outcome{headers: map[string]string{}}
	if codes.Code(res.GetStatus().GetCode()) == codes.OK {
		if res.GetOkResponse() == nil {
			t.Fatalf("status OK without a response: %v", res)
		}
		for name, value := range sent {
			o.headers[name] = value
		}
		set(o.headers, res.GetOkResponse().GetHeaders())
		for _, name := range res.GetOkResponse().GetHeadersToRemove() {
			delete(o.headers, name)
		}
		o.passed, o.status = true, 200
		return o
	}
	denied := res.GetDeniedResponse()
	if denied == nil || denied.GetBody() != "" {
		t.Fatalf("not a denied response without a body: %v", res)
	}
	set(o.headers, denied.GetHeaders())
	o.status = int(denied.GetStatus().GetCode())
	return o
}

// do calls, and applies the response.
func (x *rig) do(t testing.TB, k call) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := x.Check(ctx, k.request())
	if err != nil {
		t.Fatalf("%s %s: %v", k.method, k.path, err)
	}
	return apply(t, res, k.headers)
}
