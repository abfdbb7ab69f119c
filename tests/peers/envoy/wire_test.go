package envoy

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grantd/grantd/server/extauthz"
)

// FuzzRead: what is read of a message is what the generated types read, and whatever they
// write is read. A message may be refused although they accept it only if no marshaler
// writes it so.
func FuzzRead(f *testing.F) {
	for _, k := range []call{
		{}, bearer("Bearer client"), {method: "POST", path: "/x?y", from: "203.0.113.7", raw: [][2]string{{"authorization", "a"}, {"Authorization", "\xff"}, {"x-forwarded-for", "b"}}},
		{headers: map[string]string{"X-Forwarded-For": "1, 2", "x-request-id": "abc", "other": ""}, extensions: map[string]string{"scope": "a", "": "b"}},
	} {
		f.Add(marshal(f, k.request()))
	}
	pipe := call{}.request()
	pipe.Attributes.Source = &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_Pipe{Pipe: &core.Pipe{Path: "/x"}}}}
	f.Add(marshal(f, pipe))
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, m []byte) {
		got, err := extauthz.Read(framed(0, m))
		var want auth.CheckRequest
		wantErr := proto.Unmarshal(m, &want)
		if err == nil && wantErr == nil {
			compare(t, m, &got, &want)
		}
		if wantErr != nil {
			return // Read skips fields without looking at what is inside
		}
		again, err2 := proto.Marshal(&want)
		if err2 != nil {
			t.Fatal(err2)
		}
		switch read, err := extauthz.Read(framed(0, again)); {
		case isUsual(&want) && err != nil:
			t.Errorf("% x is refused", again)
		case err == nil:
			compare(t, again, &read, &want)
		}
	})
}

// isUsual reports whether a message has what Read accepts: not too many entries, and no
// unknown fields, which could be groups.
func isUsual(m *auth.CheckRequest) bool {
	h := m.GetAttributes().GetRequest().GetHttp()
	return len(h.GetHeaders())+len(h.GetHeaderMap().GetHeaders()) <= 1_000 && len(m.GetAttributes().GetContextExtensions()) <= 16 && !hasUnknown(m.ProtoReflect())
}

func hasUnknown(m protoreflect.Message) (has bool) {
	has = len(m.GetUnknown()) > 0
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				has = has || hasUnknown(v.Message())
				return !has
			})
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				has = has || hasUnknown(v.List().Get(i).Message())
			}
		case !f.IsMap() && !f.IsList() && f.Message() != nil:
			has = has || hasUnknown(v.Message())
		}
		return !has
	})
	return has
}

func compare(t *testing.T, m []byte, got *extauthz.Request, want *auth.CheckRequest) {
	t.Helper()
	a := want.GetAttributes()
	h := a.GetRequest().GetHttp()
	// Another kind of address may follow the one of a socket, and then only that counts.
	if s := a.GetSource().GetAddress(); s.GetSocketAddress() != nil && got.Source != s.GetSocketAddress().GetAddress() || s == nil && got.Source != "" {
		t.Errorf("% x: source %q, want %v", m, got.Source, s)
	}
	if got.Method != h.GetMethod() || got.Path != h.GetPath() {
		t.Errorf("% x: %q %q, want %q %q", m, got.Method, got.Path, h.GetMethod(), h.GetPath())
	}
	for name, read := range map[string][]string{"authorization": got.Authorization, "x-forwarded-for": got.ForwardedFor} {
		values, keys := valuesOf(h, name)
		// A map keeps one of several entries with one key, Read all.
		for _, v := range values {
			if !slices.Contains(read, v) {
				t.Errorf("% x: %s %q, without %q", m, name, read, v)
			}
		}
		if len(read) < len(values) || keys == 0 && len(read) > 0 {
			t.Errorf("% x: %s %q, want %q", m, name, read, values)
		}
	}
	found := map[string]string{}
	for _, e := range got.Extensions {
		found[e.Name] = e.Value
	}
	if len(found) != len(a.GetContextExtensions()) {
		t.Errorf("% x: %v, want %v", m, found, a.GetContextExtensions())
	}
	for name, value := range a.GetContextExtensions() {
		if found[name] != value {
			t.Errorf("% x: %v, want %v", m, found, a.GetContextExtensions())
		}
	}
}

// valuesOf returns the values of the header, and how many entries have its name.
func valuesOf(h *auth.AttributeContext_HttpRequest, name string) (values []string, keys int) {
	for key, value := range h.GetHeaders() {
		if strings.EqualFold(key, name) && len(key) == len(name) {
			values, keys = append(values, value), keys+1
		}
	}
	for _, e := range h.GetHeaderMap().GetHeaders() {
		if !strings.EqualFold(e.GetKey(), name) || len(e.GetKey()) != len(name) {
			continue
		}
		keys++
		if e.GetValue() != "" || len(e.GetRawValue()) == 0 {
			values = append(values, e.GetValue())
		}
		if len(e.GetRawValue()) > 0 {
			values = append(values, string(e.GetRawValue()))
		}
	}
	return values, keys
}

// FuzzWrite: the generated types read what is written, and write the same.
func FuzzWrite(f *testing.F) {
	f.Add("x-auth-subject", "client:shop", "x-auth-scope", "", 403)
	f.Add("a", strings.Repeat("b", 127), "c", strings.Repeat("d", 128), 401)
	f.Add("", strings.Repeat("b", 20_000), "c", "", 0)
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string, status int) {
		if !utf8.ValidString(name1 + "|" + value1 + "|" + name2 + "|" + value2) {
			return // net/http accepts such names and values neither
		}
		headers := []extauthz.Pair{{Name: name1, Value: value1}, {Name: name2, Value: value2}}
		for _, b := range [][]byte{extauthz.Allowed(headers), extauthz.Denied(status, headers)} {
			var m auth.CheckResponse
			if err := proto.Unmarshal(b[5:], &m); err != nil {
				t.Fatal(err)
			}
			if again := (proto.MarshalOptions{Deterministic: true}); !bytes.Equal(b[5:], mustMarshal(t, again, &m)) && status != 0 && name1 != "" && name2 != "" { // they leave out what is empty
				t.Errorf("% x is not what the generated types write: %v", b[5:], &m)
			}
			set := m.GetOkResponse().GetHeaders()
			if denied := m.GetDeniedResponse(); denied != nil {
				set = denied.GetHeaders()
				if m.GetStatus().GetCode() == 0 || int32(denied.GetStatus().GetCode()) != int32(status) {
					t.Errorf("%v", &m)
				}
			}
			var want []extauthz.Pair
			for _, h := range headers {
				if h.Value != "" {
					want = append(want, h)
				}
			}
			if len(set) != len(want) {
				t.Fatalf("%v", &m)
			}
			for i, h := range set {
				if h.GetHeader().GetKey() != want[i].Name || h.GetHeader().GetValue() != want[i].Value || h.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
					t.Errorf("%v", h)
				}
			}
		}
	})
}

func mustMarshal(t *testing.T, o proto.MarshalOptions, m proto.Message) []byte {
	t.Helper()
	b, err := o.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
