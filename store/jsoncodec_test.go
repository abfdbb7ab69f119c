package store

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClientRoundTrip(t *testing.T) {
	end := issued.Add(time.Hour)
	want := Client{
		ID: "gc_a", Name: "Payments", OrgID: "h5D8B5gyHtk=", Scopes: []string{"a", "b"}, DefaultScopes: []string{"a"},
		TokenTTL: 90 * time.Minute, AuthMethods: []string{"client_secret_basic"}, SourceIPs: []string{"10.0.0.0/8"},
		Resources: []string{"https://a.example"}, TokenUses: []TokenUse{UseClient}, Enforces: []string{"source_ip"},
		Resource: "https://b.example", Secrets: []Secret{{ID: "s", Hash: "sha256$x", CreatedAt: issued, ExpiresAt: &end}},
		DeactivatedAt: &end, CreatedAt: issued, UpdatedAt: issued.Add(time.Nanosecond), Version: 7,
	}
	record, err := MarshalClient(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnmarshalClient(record)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

func TestAuditRoundTrip(t *testing.T) {
	want := AuditEvent{
		ID: "7", Time: issued, Action: "client.create", Actor: "uid:0", Address: "192.0.2.1", RequestID: "r",
		Target: "client:a", Before: json.RawMessage(`{"a":1}`), After: json.RawMessage(`null`), Outcome: "done", Count: 3,
	}
	record, err := MarshalAudit(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnmarshalAudit(record)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
}

// otherVersions are records that must not be half read.
func otherVersions(t *testing.T, record []byte, err error) [][]byte {
	t.Helper()
	if err != nil || !strings.Contains(string(record), `"v":1`) {
		t.Fatalf("record %s, error %v", record, err)
	}
	newer := strings.Replace(string(record), `"v":1`, `"v":2`, 1)
	none := strings.Replace(string(record), `"v":1`, `"w":1`, 1)
	list := [][]byte{[]byte(newer), []byte(none), nil, []byte("null"), []byte("[]"), []byte(`"v"`), {0xff}}
	return append(list, record[:len(record)-1], append(record, '}'))
}

func TestClientOfAnotherVersion(t *testing.T) {
	record, err := MarshalClient(Client{ID: "a"})
	for _, b := range otherVersions(t, record, err) {
		if c, err := UnmarshalClient(b); !errors.Is(err, ErrUnknownRecord) || c.ID != "" {
			t.Errorf("%q: client %+v, error %v", b, c, err)
		}
	}
}

func TestAuditEventOfAnotherVersion(t *testing.T) {
	record, err := MarshalAudit(AuditEvent{Action: "a"})
	for _, b := range otherVersions(t, record, err) {
		if e, err := UnmarshalAudit(b); !errors.Is(err, ErrUnknownRecord) || e.Action != "" {
			t.Errorf("%q: event %+v, error %v", b, e, err)
		}
	}
}

func TestEntryRoundTrip(t *testing.T) {
	for _, want := range []Entry{
		{Kind: EntryVoid, Key: PrincipalAll, By: "uid:0", At: issued.Add(123 * time.Millisecond), Until: issued.Add(time.Hour)},
		{Kind: EntryChange, Key: PrincipalClient("a"), At: issued},
	} {
		record, err := MarshalEntry(want)
		if err != nil {
			t.Fatal(err)
		}
		want.Position = Position{Seq: 7}
		if d := cmp.Diff(want, UnmarshalEntry(record, want.Position)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// TestUnknownEntryVoidsAll: what an entry of a newer grantd ends is not
// known, so everything is ended.
func TestUnknownEntryVoidsAll(t *testing.T) {
	record, err := MarshalEntry(Entry{Kind: EntryChange, Key: PrincipalClient("a"), At: issued})
	unknownKind := []byte(strings.Replace(string(record), "change", "rename", 1))
	p := Position{Time: 3, Seq: 7}
	for _, b := range append(otherVersions(t, record, err), unknownKind) {
		got := UnmarshalEntry(b, p)
		if got.Kind != EntryVoid || got.Key != PrincipalAll || got.Position != p || !got.Until.IsZero() {
			t.Errorf("%q: entry %+v, want a void of all", b, got)
		}
	}
}

func FuzzUnmarshalEntry(f *testing.F) {
	f.Add([]byte(`{"v":1,"kind":"void","key":"all","at":1753488000123}`))
	f.Add([]byte(`{"v":1,"kind":"change","key":"client:a","at":-1,"until":9}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := UnmarshalEntry(b, Position{Seq: 1})
		if e.Kind != EntryVoid && e.Kind != EntryChange {
			t.Errorf("kind %q", e.Kind)
		}
	})
}
