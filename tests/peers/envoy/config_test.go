package envoy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filter "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // a type of the file
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	upstream "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/grantd/grantd/scopes/guard"
)

// readConfig decodes deploy/gateways/envoy.yaml as Envoy does, and checks the rules of
// Envoy's types.
func readConfig(t *testing.T) *bootstrap.Bootstrap {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "gateways", "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bootstrap.Bootstrap
	if err := protojson.Unmarshal(j, &b); err != nil {
		t.Fatal(err)
	}
	if err := b.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// open returns the message in an Any, which must follow the rules of its type.
func open[M interface {
	proto.Message
	ValidateAll() error
}](t *testing.T, a *anypb.Any, m M) M {
	t.Helper()
	if err := a.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	return m
}

// managers returns the connection managers, by listener.
func managers(t *testing.T, b *bootstrap.Bootstrap) map[string]*manager.HttpConnectionManager {
	t.Helper()
	found := map[string]*manager.HttpConnectionManager{}
	for _, l := range b.GetStaticResources().GetListeners() {
		found[l.GetName()] = open(t, l.GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), &manager.HttpConnectionManager{})
	}
	return found
}

// TestConfig: the file decodes, lets nothing pass if the edge fails, and asks about the
// path that is passed on.
func TestConfig(t *testing.T) {
	b := readConfig(t)
	clusters := map[string]bool{}
	for _, c := range b.GetStaticResources().GetClusters() {
		clusters[c.GetName()] = false
		for _, a := range c.GetTypedExtensionProtocolOptions() {
			clusters[c.GetName()] = open(t, a, &upstream.HttpProtocolOptions{}).GetExplicitHttpConfig().GetHttp2ProtocolOptions() != nil
		}
	}
	for name, m := range managers(t, b) {
		if !m.GetNormalizePath().GetValue() || !m.GetMergeSlashes() || !m.GetUseRemoteAddress().GetValue() ||
			m.GetPathWithEscapedSlashesAction() != manager.HttpConnectionManager_REJECT_REQUEST {
			t.Errorf("%s: paths can be read in two ways", name)
		}
		for _, lie := range []string{"x-forwarded-host", "x-original-url", "x-rewrite-url", "x-real-ip", "forwarded"} {
			if !slices.Contains(m.GetRouteConfig().GetRequestHeadersToRemove(), lie) {
				t.Errorf("%s: %s of a caller reaches the API", name, lie)
			}
		}
		f := open(t, m.GetHttpFilters()[0].GetTypedConfig(), &filter.ExtAuthz{})
		if f.GetFailureModeAllow() || f.GetStatusOnError().GetCode() != 503 || !f.GetEncodeRawHeaders() || f.GetWithRequestBody() != nil || f.GetClearRouteCache() {
			t.Errorf("%s: %v", name, f)
		}
		timeout, cluster, h2 := f.GetGrpcService().GetTimeout(), f.GetGrpcService().GetEnvoyGrpc().GetClusterName(), true
		if http := f.GetHttpService(); http != nil {
			timeout, cluster, h2 = http.GetServerUri().GetTimeout(), http.GetServerUri().GetCluster(), false
		}
		if timeout.AsDuration() != 2*time.Second {
			t.Errorf("%s: time-out %v", name, timeout)
		}
		if speaks, ok := clusters[cluster]; !ok || speaks != h2 {
			t.Errorf("%s: cluster %q", name, cluster)
		}
	}
}

// TestRoutes: what the routes say is what the edge reads.
func TestRoutes(t *testing.T) {
	all := guard.Token{Use: "client", Subject: "client:all", ClientID: "all", Scopes: []string{"users:read", "users:write", "cards"}}
	tokens["all"] = all
	t.Cleanup(func() { delete(tokens, "all") })
	x := standard(t)
	guarded, removed := 0, 0
	for _, r := range managers(t, readConfig(t))["api"].GetRouteConfig().GetVirtualHosts()[0].GetRoutes() {
		if r.GetDirectResponse() != nil {
			continue
		}
		per := open(t, r.GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"], &filter.ExtAuthzPerRoute{})
		if per.GetDisabled() {
			removed = len(r.GetRequestHeadersToRemove())
			continue
		}
		guarded++
		k := bearer("Bearer all")
		k.extensions = per.GetCheckSettings().GetContextExtensions()
		if k.extensions["scope"] == "" || len(r.GetRequestHeadersToRemove()) > 0 {
			t.Errorf("%v", r)
		}
		if o := x.do(t, k); !o.passed {
			t.Errorf("%s: %+v", pathOf(r), o)
		}
		k.headers["authorization"] = "Bearer near" // has no scope
		if o := x.do(t, k); o.status != 403 {
			t.Errorf("%s: %+v", pathOf(r), o)
		}
	}
	if guarded != 3 || removed != 7 {
		t.Errorf("%d guarded routes, %d headers removed from the other", guarded, removed)
	}
}

func pathOf(r *route.Route) string { return r.GetMatch().GetPathSeparatedPrefix() }

// TestAmbiguousPaths: the first route of each listener refuses paths that some servers read
// as others, and Envoy does not. It is matched with the whole path, without the query.
func TestAmbiguousPaths(t *testing.T) {
	for name, m := range managers(t, readConfig(t)) {
		r := m.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()[0]
		refused, err := regexp.Compile("^(?:" + r.GetMatch().GetSafeRegex().GetRegex() + ")$") // RE2, as in Envoy
		if err != nil || r.GetMatch().GetSafeRegex().GetRegex() == "" || r.GetDirectResponse().GetStatus() != 403 {
			t.Errorf("%s: %v: %v", name, r, err)
			continue
		}
		for path, want := range map[string]bool{
			"/users/..;/cards/12": true, "/users;x/1": true, `/users/..\cards/12`: true, "/users/..%5Ccards": true, "/users/%252e%252e/cards": true,
			"/users/1%00": true, "/users/%2e%2E/cards": true, "/users/..%2fcards": true, "/users/%c0%ae/1": true, "/users/%E0%80%AF/1": true, "/users/%f0%80%80%ae": true,
			"/users/\xc0\xae": true, "/users/1%3B": true, "/users/1%23": true, "/users/1": false, "/users/%c3%a9%20+=": false, "/users/%61.b": false, "/status": false,
		} {
			if refused.MatchString(path) != want {
				t.Errorf("%s: %q is refused: %v", name, path, !want)
			}
		}
	}
}
