package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// doctorAnswers are those of a store with a hold on clients and orgs. One client
// lost its newest change.
func doctorAnswers() map[string]reply {
	return map[string]reply{
		"GET /store": {200, `{"hold":{"number":7,"cause":"unwitnessed","since":"2026-01-02T03:04:05Z","last_known":"2026-01-01T00:00:00Z",` +
			`"covers":["client"],"released":["org"]},"kinds":["client","org"]}`},
		"GET /store/held?kind=client&limit=500": {200, `{"records":[{"id":"a\tb","lost":false,"updated_at":"2025-12-31T00:00:00Z"},` +
			`{"id":"c","lost":true,"updated_at":"2025-12-31T00:00:00Z"}]}`},
		"GET /store/held?kind=org&limit=500": {200, `{"records":[]}`},
		"POST /store/release":                {204, ""},
	}
}

func TestStoreDoctor(t *testing.T) {
	f := newFakeAdmin(t, doctorAnswers())
	f.run(t, "", "store", "doctor").is(t, result{code: exitFound, out: `The store came back older at 2026-01-02T03:04:05Z: it restarted, failed over or was restored while no grantd was watching.
The newest change that it still had is of 2026-01-01T00:00:00Z. What was changed between the two may be lost.
HELD BACK    WHY                         UPDATED
client:a\tb  a change of it may be lost  2025-12-31T00:00:00Z
client:c     a change of it was lost     2025-12-31T00:00:00Z
End again what must not work, then: grantd store doctor --release all
`})
	r := f.run(t, "", "--output", "json", "store", "doctor")
	for _, want := range []string{`"cause": "unwitnessed"`, `"kind": "client"`, `"count": 2`, `"lost": true`} {
		if r.code != exitFound || !strings.Contains(r.out, want) {
			t.Errorf("no %s in %d: %s", want, r.code, r.out)
		}
	}

	keys := newFakeAdmin(t, map[string]reply{
		"GET /store":                         {200, `{"hold":null,"kinds":["key"]}`},
		"GET /store/held?kind=key&limit=500": {200, `{"records":[{"id":"Ab3dEf7h","lost":true,"ended":true,"updated_at":"2025-12-31T00:00:00Z"}]}`},
	})
	if r := keys.run(t, "", "store", "doctor"); !strings.Contains(r.out, "key:Ab3dEf7h  it has ended: there is nothing to do") {
		t.Errorf("%+v", r)
	}

	whole := newFakeAdmin(t, map[string]reply{"GET /store": {200, `{"hold":null,"kinds":["client"]}`}, "GET /store/held?kind=client&limit=500": {200, `{"records":[]}`}})
	whole.run(t, "", "store", "doctor").is(t, result{out: "Nothing is held back.\n"})
}

func TestStoreDoctorReleases(t *testing.T) {
	for args, want := range map[string][]string{
		"--release|client:c":            {`{"kind":"client","id":"c","hold":7}`},
		"--release|org":                 {`{"kind":"org","all":true,"hold":7}`},
		"--release|org|--release|org:x": {`{"kind":"org","all":true,"hold":7}`, `{"kind":"org","id":"x","hold":7}`},
		"--release|all":                 {`{"kind":"client","all":true,"hold":7}`, `{"kind":"client","id":"a\tb","hold":7}`, `{"kind":"client","id":"c","hold":7}`, `{"kind":"org","all":true,"hold":7}`},
	} {
		f := newFakeAdmin(t, doctorAnswers())
		f.run(t, "", append([]string{"store", "doctor"}, strings.Split(args, "|")...)...)
		var posted []string
		for _, asked := range f.asked {
			if body, is := strings.CutPrefix(asked, "POST /store/release "); is {
				posted = append(posted, body)
			}
		}
		if d := cmp.Diff(want, posted); d != "" {
			t.Errorf("%s (-want +got):\n%s", args, d)
		}
		if !slices.Contains(f.asked, "GET /store/held?kind=org&limit=500") {
			t.Errorf("%s: it does not show what is left: %q", args, f.asked)
		}
	}
}
