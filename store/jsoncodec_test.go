package store

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRecordRoundTrip: every field of a record is stored.
func TestRecordRoundTrip(t *testing.T) {
	t.Run("client", func(t *testing.T) { recordRoundTrip(t, ClientKind) })
	t.Run("org", func(t *testing.T) { recordRoundTrip(t, OrgKind) })
	t.Run("customer", func(t *testing.T) { recordRoundTrip(t, CustomerKind) })
	t.Run("partner", func(t *testing.T) { recordRoundTrip(t, PartnerKind) })
	t.Run("partner token", func(t *testing.T) { recordRoundTrip(t, PartnerTokenKind) })
	t.Run("key", func(t *testing.T) { recordRoundTrip(t, APIKeyKind) })
	t.Run("grant", func(t *testing.T) { recordRoundTrip(t, GrantKind) })
	t.Run("hold", func(t *testing.T) { recordRoundTrip(t, HoldKind) })
	t.Run("notices", func(t *testing.T) { recordRoundTrip(t, NoticeQueueKind) })
	t.Run("signing keys", func(t *testing.T) { recordRoundTrip(t, SigningKeysKind) })
}

func recordRoundTrip[R any](t *testing.T, k Kind[R]) {
	var want R
	fill(reflect.ValueOf(&want).Elem())
	if h := k.Head(&want); h != nil {
		h.UnderHold = false // not stored
	}
	id, version := k.identify(&want)
	for given, first := range map[uint64]uint64{0: 1, 1: 1, 7: 7} {
		*version = given
		stored, err := k.EncodeNew(want)
		if err != nil || stored.Version != first || stored.Replaces != 0 || stored.ID != id {
			t.Fatalf("first of version %d: %d after %d, error %v", given, stored.Version, stored.Replaces, err)
		}
	}
	*version = 7
	stored, err := k.EncodeNext(want)
	if err != nil || stored.Version != 8 || stored.Replaces != 7 || stored.ID != id {
		t.Fatalf("next: version %d after %d, error %v", stored.Version, stored.Replaces, err)
	}
	if *version != 7 {
		t.Errorf("the caller's record was changed to version %d", *version)
	}
	*version = 8
	got, err := k.Unmarshal(stored.Form)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
	if v, err := k.Version(stored.Form); v != 8 || err != nil {
		t.Errorf("version %d, error %v", v, err)
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

// otherVersions returns records that must not be read in part.
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

func TestRecordOfAnotherVersion(t *testing.T) {
	t.Run("client", func(t *testing.T) { recordOfAnotherVersion(t, ClientKind, Client{ID: "a"}) })
	t.Run("org", func(t *testing.T) { recordOfAnotherVersion(t, OrgKind, Org{ID: "a"}) })
	t.Run("customer", func(t *testing.T) { recordOfAnotherVersion(t, CustomerKind, Customer{ID: "a"}) })
	t.Run("partner", func(t *testing.T) { recordOfAnotherVersion(t, PartnerKind, Partner{ID: "a"}) })
	t.Run("partner token", func(t *testing.T) { recordOfAnotherVersion(t, PartnerTokenKind, PartnerTokenOwner{ID: "a"}) })
	t.Run("grant", func(t *testing.T) { recordOfAnotherVersion(t, GrantKind, Grant{OrgID: "a"}) })
	t.Run("hold", func(t *testing.T) { recordOfAnotherVersion(t, HoldKind, Hold{ID: "a"}) })
	t.Run("notices", func(t *testing.T) { recordOfAnotherVersion(t, NoticeQueueKind, NoticeQueue{ID: "a"}) })
	t.Run("signing keys", func(t *testing.T) { recordOfAnotherVersion(t, SigningKeysKind, SigningKeys{ID: "a"}) })
}

func recordOfAnotherVersion[R any](t *testing.T, k Kind[R], r R) {
	record, err := k.Marshal(r)
	for _, b := range otherVersions(t, record, err) {
		r, err := k.Unmarshal(b)
		if id, none := k.ID(&r), k.ID(new(R)); !errors.Is(err, ErrUnknownRecord) || id != none {
			t.Errorf("%q: record %+v, error %v", b, r, err)
		}
		if _, err := k.Version(b); !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("%q: version, error %v", b, err)
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
		{Kind: EntryChange, Key: PrincipalClient("a"), By: "uid:0", At: issued, Version: 1 << 52, Form: `{"v":1,"id":"a"}`},
		{Kind: EntryVoid, Key: PrincipalClient("a"), By: "uid:0", At: issued, Version: 7, Gone: true},
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

// TestUnknownEntryVoidsAll: it is unknown what an entry of a newer grantd ends,
// so it ends everything.
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

// FuzzScanEntry checks that what scanEntry accepts means the same as JSON.
func FuzzScanEntry(f *testing.F) {
	until := time.UnixMilli(1_800_000_000_000)
	for _, e := range []Entry{
		{Kind: EntryVoid, Key: PrincipalToken(Digest{1}), By: "client:billing", At: time.UnixMilli(1_700_000_000_000), Until: until},
		{Kind: EntryChange, Key: PrincipalClient("a<b>"), At: time.UnixMilli(1)},
		{Kind: EntryVoid, Key: "all", By: "system \"x\" \u00e9 \n", At: time.UnixMilli(-5), Until: until},
	} {
		b, err := MarshalEntry(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"v":1,"kind":"void","key":"all","at":01}`))
	f.Add([]byte(`{"v":1,"kind":"void","key":"all","at":1,"until":99999999999999999999}`))
	f.Add([]byte(`{"v":2,"kind":"void","key":"all","at":1}`))
	f.Add([]byte(`{"v":1,"kind":"void","key":"all","at":1,"critical":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := scanEntry(string(b), Position{Seq: 1})
		if !ok {
			return
		}
		var r entryRecord
		if err := unmarshal(b, &r, &r.V); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		want := Entry{Position: Position{Seq: 1}, Kind: r.Kind, Key: r.Key, By: r.By, At: time.UnixMilli(r.At).UTC()}
		if r.Until != 0 {
			want.Until = time.UnixMilli(r.Until).UTC()
		}
		if e != want {
			t.Errorf("%q: %+v, want %+v", b, e, want)
		}
	})
}

// TestScanEntry checks that ordinary entries do not need the decoder of JSON.
func TestScanEntry(t *testing.T) {
	want := Entry{
		Position: Position{Time: 7, Seq: 1}, Kind: EntryVoid, Key: PrincipalToken(Digest{1}), By: "client:billing",
		At: time.UnixMilli(1_700_000_000_000).UTC(), Until: time.UnixMilli(1_700_000_100_000).UTC(),
	}
	b, err := MarshalEntry(want)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := scanEntry(string(b), want.Position); !ok || e != want {
		t.Errorf("%s: %+v %v", b, e, ok)
	}
}

func BenchmarkUnmarshalEntry(b *testing.B) {
	e := Entry{Kind: EntryVoid, Key: PrincipalToken(Digest{1}), By: "client:billing", At: time.Now(), Until: time.Now()}
	form, err := MarshalEntry(e)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		UnmarshalEntry(form, Position{Seq: 1})
	}
}
