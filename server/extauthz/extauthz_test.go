package extauthz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
)

// put appends a field with the message that the parts make.
func put(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(parts, nil))
}

func text(number protowire.Number, s string) []byte { return put(number, []byte(s)) }

func body(m ...[]byte) []byte {
	return frame(func(b []byte) []byte { return append(b, bytes.Join(m, nil)...) })
}

// about is a CheckRequest with these fields of HttpRequest.
func about(fields ...[]byte) []byte {
	return body(put(checkAttributes, put(attributesRequest, put(requestHTTP, fields...))))
}

func TestRead(t *testing.T) {
	b := body(put(checkAttributes,
		put(attributesSource, put(peerAddress, put(addressSocket, text(socketAddress, "203.0.113.7"), protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 40000)))),
		put(2, put(1)), // the destination
		put(attributesRequest, put(1, nil), put(requestHTTP,
			text(1, "id"), text(httpMethod, "GET"), text(httpPath, "/x?y"), text(5, "host"),
			put(httpHeaders, text(entryKey, "authorization"), text(entryValue, "Bearer a")),
			put(httpHeaders, text(entryKey, "x-request-id"), text(entryValue, "0123456789")),
			put(httpHeaders, text(entryKey, "x-forwarded-for"), text(entryValue, "1, 2")),
			put(httpHeaders, text(entryKey, "cookie")),
			put(httpHeaderMap, put(headerMapHeaders, text(entryKey, "X-Forwarded-For"), text(entryRaw, "\xff"))),
		)),
		put(attributesExtensions, text(entryKey, "scope"), text(entryValue, "a b")),
		put(attributesExtensions, text(entryKey, "empty")),
	))
	got, err := Read(b)
	want := Request{
		Source: "203.0.113.7", Method: "GET", Path: "/x?y", Authorization: []string{"Bearer a"}, ForwardedFor: []string{"1, 2", "\xff"},
		RequestID: "0123456789", Extensions: []Pair{{"scope", "a b"}, {"empty", ""}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Request{})); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	clear(b)
	if got.Path != "/x?y" || got.Authorization[0] != "Bearer a" {
		t.Error("what was read depends on the body")
	}
}

func TestRefused(t *testing.T) {
	header := put(httpHeaders, text(entryKey, "a"), text(entryValue, "b"))
	extension := put(attributesExtensions, text(entryKey, "a"), text(entryValue, "b"))
	for name, tc := range map[string]struct {
		body []byte
		want error
	}{
		"nothing":                  {nil, ErrMalformed},
		"half a prefix":            {[]byte{0, 0, 0}, ErrMalformed},
		"compressed":               {append([]byte{1}, about()[1:]...), ErrCompressed},
		"another flag":             {append([]byte{2}, about()[1:]...), ErrMalformed},
		"too short":                {about(header)[:len(about(header))-1], ErrMalformed},
		"too long":                 {append(about(), 0), ErrMalformed},
		"not a tag":                {body([]byte{0xff}), ErrMalformed},
		"field 0":                  {body([]byte{0x02, 0x00}), ErrMalformed},
		"a length beyond the end":  {body([]byte{0x0a, 0x7f}), ErrMalformed},
		"a length without end":     {body(append([]byte{0x0a}, bytes.Repeat([]byte{0xff}, 11)...)), ErrMalformed},
		"a group":                  {body(bytes.Repeat([]byte{0x7b}, 10_000)), ErrMalformed},
		"a number for a message":   {body([]byte{0x08, 1}), ErrMalformed},
		"a number for a text":      {about([]byte{httpMethod << 3, 1}), ErrMalformed},
		"a number for a header":    {about([]byte{httpHeaders << 3, 1}), ErrMalformed},
		"attributes repeated":      {body(put(checkAttributes), put(checkAttributes)), ErrMalformed},
		"method repeated":          {about(text(httpMethod, "GET"), text(httpMethod, "GET")), ErrMalformed},
		"path repeated":            {about(text(httpPath, "/a"), text(httpPath, "/b")), ErrMalformed},
		"header map repeated":      {about(put(httpHeaderMap), put(httpHeaderMap)), ErrMalformed},
		"name repeated":            {about(put(httpHeaders, text(entryKey, "a"), text(entryKey, "authorization"))), ErrMalformed},
		"value repeated":           {about(put(httpHeaders, text(entryValue, "a"), text(entryValue, "b"))), ErrMalformed},
		"a method that is no text": {about(text(httpMethod, "\xff")), ErrMalformed},
		"a value that is no text":  {about(put(httpHeaders, text(entryKey, "a"), text(entryValue, "\xff"))), ErrMalformed},
		"many headers":             {about(bytes.Repeat(header, maxHeaders+1)), ErrMalformed},
		"many in both lists":       {about(bytes.Repeat(header, maxHeaders), put(httpHeaderMap, put(headerMapHeaders))), ErrMalformed},
		"many extensions":          {body(put(checkAttributes, bytes.Repeat(extension, maxExtensions+1))), ErrMalformed},
		"as many headers as may":   {about(bytes.Repeat(header, maxHeaders)), nil},
		"as many extensions":       {body(put(checkAttributes, bytes.Repeat(extension, maxExtensions))), nil},
		"empty":                    {body(), nil},
		"unknown fields":           {about(text(9_999, "x"), protowire.AppendVarint(protowire.AppendTag(nil, 9_998, protowire.VarintType), 1)), nil},
	} {
		if _, err := Read(tc.body); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// TestTwoHeaders: no form hides a second header.
func TestTwoHeaders(t *testing.T) {
	one := put(httpHeaders, text(entryKey, "authorization"), text(entryValue, "a"))
	for name, b := range map[string][]byte{
		"one map":         about(one, one),
		"in capitals":     about(one, put(httpHeaders, text(entryKey, "Authorization"), text(entryValue, "b"))),
		"without a value": about(one, put(httpHeaders, text(entryKey, "authorization"))),
		"both lists":      about(one, put(httpHeaderMap, put(headerMapHeaders, text(entryKey, "authorization"), text(entryRaw, "b")))),
		"both values":     about(put(httpHeaderMap, put(headerMapHeaders, text(entryKey, "authorization"), text(entryValue, "a"), text(entryRaw, "b")))),
	} {
		if r, err := Read(b); err != nil || len(r.Authorization) != 2 {
			t.Errorf("%s: %q %v", name, r.Authorization, err)
		}
	}
}

// FuzzRead: nothing that is read is longer than the body, and lists keep their bounds.
// tests/peers/envoy compares what is read with the generated types.
func FuzzRead(f *testing.F) {
	f.Add(about(put(httpHeaders, text(entryKey, "authorization"), text(entryValue, "a"))))
	f.Add(body(put(checkAttributes, put(attributesExtensions, text(entryKey, "a")))))
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Read(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrCompressed) || r.Path != "" || r.Authorization != nil {
				t.Fatalf("%+v %v", r, err)
			}
			return
		}
		length := len(r.Source) + len(r.Method) + len(r.Path) + len(r.RequestID)
		for _, s := range append(r.Authorization, r.ForwardedFor...) {
			length += len(s)
		}
		for _, e := range r.Extensions {
			length += len(e.Name) + len(e.Value)
		}
		if length > len(b) || len(r.Extensions) > maxExtensions || len(r.Authorization)+len(r.ForwardedFor) > 2*maxHeaders {
			t.Errorf("%d bytes of %d: %+v", length, len(b), r)
		}
	})
}

// TestWritten: the lengths are right, also where one byte is not enough for them.
func TestWritten(t *testing.T) {
	for _, size := range []int{1, 100, 127, 128, 16_383, 16_384, 40_000} {
		value := strings.Repeat("v", size)
		b := Allowed([]Pair{{"a", value}, {"gone", ""}})
		if b[0] != 0 || int(binary.BigEndian.Uint32(b[1:])) != len(b)-prefixLength {
			t.Fatalf("%d: prefix % x", size, b[:prefixLength])
		}
		option := append(put(optionHeader, text(entryKey, "a"), text(entryValue, value)), optionAction<<3, overwrite)
		want := body(put(checkStatus), put(checkOK, put(headersField, option), text(okRemove, "gone")))
		if !bytes.Equal(b, want) {
			t.Errorf("%d: % x, want % x", size, b[:20], want[:20])
		}
	}
	want := body(put(checkStatus, []byte{8, rpcUnauthenticated}), put(checkDenied, put(deniedStatus, []byte{8, 0x91, 3})))
	if got := Denied(401, []Pair{{"retry-after", ""}}); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
	for _, status := range []int{0, 200, 418, 500} {
		if got := Denied(status, nil); !bytes.HasPrefix(got[prefixLength:], []byte{0x0a, 2, 8, rpcUnknown}) {
			t.Errorf("%d: % x", status, got)
		}
	}
}

func TestIsCall(t *testing.T) {
	for _, tc := range []struct {
		major int
		types []string
		want  bool
	}{
		{2, []string{"application/grpc"}, true}, {2, []string{"application/grpc+proto"}, true}, {2, []string{"application/grpc;x=y"}, true},
		{1, []string{"application/grpc"}, false}, {2, nil, false}, {2, []string{"application/grpc", "application/grpc"}, false},
		{2, []string{"application/grpc-web"}, false}, {2, []string{"application/grpc+json"}, false}, {2, []string{"application/json"}, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", Path, nil)
		r.ProtoMajor, r.Header["Content-Type"] = tc.major, tc.types
		if IsCall(r) != tc.want {
			t.Errorf("%+v", tc)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	call := about(text(httpMethod, "GET"), text(httpPath, "/users?limit=1"), put(httpHeaders, text(entryKey, "authorization"), text(entryValue, strings.Repeat("a", 60))),
		bytes.Repeat(put(httpHeaders, text(entryKey, "cookie"), text(entryValue, "b")), 20))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(call); err != nil {
			b.Fatal(err)
		}
	}
}
