package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestLineIsWhatSlogWrites shows that the line that is appended by hand has the
// fields of the one that goes through slog, in the same order.
func TestLineIsWhatSlogWrites(t *testing.T) {
	at := time.Date(2026, 11, 22, 4, 29, 19, 123456789, time.UTC)
	for name, l := range map[string]line{
		"plain": {Event: &Event{RequestID: "0123456789abcdef"}, method: "GET", route: "/healthz", status: 200, took: 1234 * time.Microsecond, address: netip.MustParseAddr("192.0.2.7")},
		"full": {Event: &Event{
			RequestID: "0123456789abcdef", ClientID: "billing", SecretID: "a1B2c3D4", OldSecret: true, TokenID: "jti_-", Verdict: Active,
			Note: "credential exposed in the URL", Actor: "uid:0", TraceID: someTrace, Error: "invalid_client", Cause: errors.New("dial \"x\":\n\ttimeout ü \x00\xff <&>"), Stack: "goroutine 1\n\tmain.go:1",
		}, method: "POST", route: "/oauth/token", status: 503, took: time.Second, address: netip.MustParseAddr("2001:db8::1")},
		"refused": {Event: &Event{
			RequestID: "0123456789abcdef", ClientID: "billing", Claim: ClaimKnown, SecretID: "a1B2c3D4", SecretRight: true, EndedAt: at.Add(-time.Hour),
			Scope: "invoices:read", VoidOf: "client:billing", Error: "invalid_client", Cause: errors.New("secret_ended"),
		}, method: "POST", route: "/oauth/token", status: 401},
		"unknown":               {Event: &Event{RequestID: "0123456789abcdef", Claim: ClaimUnknown}, method: "POST", route: "/oauth/token", status: 401},
		"not looked up":         {Event: &Event{RequestID: "0123456789abcdef", ClientID: "billing", Claim: ClaimUnchecked}, method: "POST", route: "/oauth/token", status: 401},
		"inactive, on a socket": {Event: &Event{RequestID: "0123456789abcdef", Verdict: Inactive}, method: "B\"AD\\", route: "unmatched", status: 404},
	} {
		var b bytes.Buffer
		h := slog.NewJSONHandler(&b, nil)
		record := slog.NewRecord(at, l.level(), "request", 0)
		record.AddAttrs(l.attrs()...)
		if err := h.Handle(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		got := l.append(nil, at)
		if d := cmp.Diff(members(t, b.Bytes()), members(t, got)); d != "" {
			t.Errorf("%s (-slog +appended):\n%s", name, d)
		}
		if bytes.Count(got, []byte("\n")) != 1 || got[len(got)-1] != '\n' {
			t.Errorf("%s: not one line: %q", name, got)
		}
	}
}

// members returns the names and values in their order.
func members(t *testing.T, b []byte) (list []any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		list = append(list, token)
	}
	if !json.Valid(b) {
		t.Fatalf("not JSON: %q", b)
	}
	return list
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c", "ü€", "\x00\x1f\x7f", "\xff\xfe", "<script>&", "\u2028\u2029", "users:read users:write"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if got != want || utf8.ValidString(s) && got != s {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	})
}
