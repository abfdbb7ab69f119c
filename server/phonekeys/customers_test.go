package phonekeys

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

const (
	one   = "+15555550136"
	two   = "+15555550137"
	three = "+34600123456"
)

// world is a store, and the customers of it as one process sees them.
type world struct {
	*Customers
	faulty *storetest.Faulty
	raw    store.Customers
	dir    string
	path   string // of the file with the keys
	unread int
	log    bytes.Buffer
}

func newWorld(t *testing.T, lines ...string) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), path: write(t, "", lines...)}
	s, err := embedded.Open(embedded.Options{Path: w.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.faulty = storetest.NewFaulty(s)
	w.raw = w.faulty.Customers()
	w.use(t, w.path)
	return w
}

// use makes w the customers of a process with this file.
func (w *world) use(t *testing.T, path string) {
	t.Helper()
	keys, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	w.Customers = NewCustomers(Options{
		Store: w.raw, Keys: keys, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Unreadable: func() { w.unread++ },
	})
}

func business(id string) store.Customer {
	return store.Customer{
		ID: id, OrgID: "acme", Type: store.Business, Phone: one, Head: store.Head{Version: 1},
		AuthorizedUsers: []store.AuthorizedUser{{Name: "Jane", Phone: two}, {Name: "Juan", Phone: three}},
	}
}

func (w *world) get(t *testing.T, id string) store.Customer {
	t.Helper()
	r, err := w.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) stored(t *testing.T, id string) store.Customer {
	t.Helper()
	r, err := w.raw.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func numbers(r store.Customer) []string {
	all := []string{r.Phone}
	for _, u := range r.AuthorizedUsers {
		all = append(all, u.Phone)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is written is encrypted, and what is read is in clear text.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	for _, id := range []string{"10001", "10002"} {
		must(t, w.Create(t.Context(), business(id)))
	}
	if d := cmp.Diff(business("10001"), w.get(t, "10001")); d != "" {
		t.Error(d)
	}
	changed := business("10001")
	changed.Phone = three
	must(t, w.Update(t.Context(), changed))
	list, err := w.List(t.Context(), store.Page{Limit: 10})
	changed.Version++
	if d := cmp.Diff([]store.Customer{changed, business("10002")}, list); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	seen, length := map[string]bool{}, 0
	for _, id := range []string{"10001", "10002"} {
		for _, number := range numbers(w.stored(t, id)) {
			if seen[number] || !strings.HasPrefix(number, "enc1:k1:") || length > 0 && len(number) != length {
				t.Errorf("stored %s", number)
			}
			seen[number], length = true, len(number)
		}
	}
	file, err := os.ReadFile(filepath.Join(w.dir, "grantd.db"))
	must(t, err)
	for _, digits := range []string{"5555550136", "5555550137", "600123456"} {
		if bytes.Contains(file, []byte(digits)) {
			t.Errorf("the file of the store holds %s", digits)
		}
	}
	must(t, w.Delete(t.Context(), "10002", 1))
	if w.unread != 0 {
		t.Errorf("%d records could not be read", w.unread)
	}
}

// A value that is moved or changed does not decrypt.
func TestMovedValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	for _, id := range []string{"10001", "10002"} {
		must(t, w.Create(t.Context(), business(id)))
	}
	for name, change := range map[string]func(mine, other *store.Customer){
		"of another customer":   func(mine, other *store.Customer) { mine.Phone = other.Phone },
		"of an authorized user": func(mine, _ *store.Customer) { mine.Phone = mine.AuthorizedUsers[0].Phone },
		"users swapped": func(mine, _ *store.Customer) {
			u := mine.AuthorizedUsers
			u[0].Phone, u[1].Phone = u[1].Phone, u[0].Phone
		},
		"a name changed":        func(mine, _ *store.Customer) { mine.AuthorizedUsers[0].Name = "Mallory" },
		"a character changed":   func(mine, _ *store.Customer) { mine.Phone = mine.Phone[:20] + flip(mine.Phone[20:]) },
		"cut off":               func(mine, _ *store.Customer) { mine.Phone = mine.Phone[:20] },
		"not base64":            func(mine, _ *store.Customer) { mine.Phone = "enc1:k1:!" },
		"of an unknown form":    func(mine, _ *store.Customer) { mine.Phone = "enc2:k1:" + mine.Phone[8:] },
		"under an unknown name": func(mine, _ *store.Customer) { mine.Phone = "enc1:k9:" + mine.Phone[8:] },
	} {
		mine, other := w.stored(t, "10001"), w.stored(t, "10002")
		change(&mine, &other)
		mine.Version = 1
		got, err := decryptAll(w.o.Keys.keys.Load(), mine)
		if err == nil || strings.Contains(err.Error(), "5555") {
			t.Errorf("%s: %v, %v", name, numbers(got), err)
		}
	}
	// Users that only change places keep their numbers.
	mine := w.stored(t, "10001")
	u := mine.AuthorizedUsers
	u[0], u[1] = u[1], u[0]
	if got, err := decryptAll(w.o.Keys.keys.Load(), mine); err != nil || got.AuthorizedUsers[1].Phone != two {
		t.Errorf("%v, %v", numbers(got), err)
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// Without the key a record can be read, listed and changed, and its numbers are
// kept as they are stored.
func TestMissingKeyLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	must(t, w.Create(t.Context(), business("10001")))
	before := numbers(w.stored(t, "10001"))
	for name, path := range map[string]string{
		"another key": write(t, "", "k2:"+keyOf('b')), "another key of the same name": write(t, "", "k1:"+keyOf('b')), "no file": "",
	} {
		w.use(t, path)
		w.log.Reset()
		w.unread = 0
		r := w.get(t, "10001")
		for _, number := range numbers(r) {
			if Readable(number) {
				t.Errorf("%s: read %s", name, number)
			}
		}
		if err := w.Problem(r); err == nil || !strings.Contains(err.Error(), `"k1"`) || w.unread != 1 || !strings.Contains(w.log.String(), "customer_id=10001") {
			t.Errorf("%s: %v, log %q", name, err, w.log.String())
		}
		r.Language = name
		must(t, w.Update(t.Context(), r))
		if d := cmp.Diff(before, numbers(w.stored(t, "10001"))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if list, err := w.List(t.Context(), store.Page{Limit: 10}); err != nil || len(list) != 1 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	w.use(t, w.path)
	if d := cmp.Diff(numbers(business("10001")), numbers(w.get(t, "10001"))); d != "" {
		t.Error(d)
	}
}

// A new first key encrypts, an old one still decrypts, and reencrypting lets the
// old one go. Numbers in clear text are read as they are.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	must(t, w.raw.Create(t.Context(), business("10000"))) // from before there were keys
	must(t, w.Create(t.Context(), business("10001")))
	must(t, w.Create(t.Context(), business("10002")))
	if got := numbers(w.get(t, "10000")); got[0] != one {
		t.Errorf("in clear text: %v", got)
	}
	write(t, w.path, "k2:"+keyOf('b'), "k1:"+keyOf('a'))
	must(t, w.o.Keys.Reload())
	must(t, w.Update(t.Context(), w.get(t, "10001")))
	for _, number := range numbers(w.stored(t, "10001")) {
		if !strings.HasPrefix(number, "enc1:k2:") {
			t.Errorf("changed: %s", number)
		}
	}
	done, err := w.Reencrypt(t.Context(), "")
	if want := (Reencrypted{Checked: 3, Encrypted: 2}); err != nil || done != want {
		t.Errorf("%+v, %v", done, err)
	}
	if done, err = w.Reencrypt(t.Context(), ""); err != nil || done != (Reencrypted{Checked: 3}) {
		t.Errorf("again: %+v, %v", done, err)
	}
	write(t, w.path, "k2:"+keyOf('b'))
	must(t, w.o.Keys.Reload())
	for _, id := range []string{"10000", "10001", "10002"} {
		if d := cmp.Diff(numbers(business(id)), numbers(w.get(t, id))); d != "" {
			t.Error(d)
		}
	}
}

func TestReencryptLeavesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	must(t, w.Create(t.Context(), business("10001")))
	must(t, w.raw.Create(t.Context(), business("10002")))
	before := w.stored(t, "10001")
	write(t, w.path, "k2:"+keyOf('b'))
	must(t, w.o.Keys.Reload())
	done, err := w.Reencrypt(t.Context(), "")
	if want := (Reencrypted{Checked: 2, Encrypted: 1, Unreadable: 1, UnreadableID: "10001"}); err != nil || done != want {
		t.Errorf("%+v, %v", done, err)
	}
	if d := cmp.Diff(before, w.stored(t, "10001")); d != "" {
		t.Error(d)
	}
	w.use(t, "")
	if _, err := w.Reencrypt(t.Context(), ""); err == nil {
		t.Error("without keys there is no error")
	}
}

// A record that is changed or deleted meanwhile keeps what the others made of it.
func TestReencryptWhileOthersChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	must(t, w.raw.Create(t.Context(), business("10001")))
	stale := w.stored(t, "10001")
	changed := stale
	changed.Language = "es"
	must(t, w.raw.Update(t.Context(), changed))
	if got, err := w.reencryptOne(t.Context(), stale); err != nil || got != written {
		t.Errorf("changed: %d, %v", got, err)
	}
	if got := w.get(t, "10001"); got.Language != "es" || got.Phone != one || Readable(w.stored(t, "10001").Phone) {
		t.Errorf("%+v", got)
	}
	must(t, w.Delete(t.Context(), "10001", 3))
	if got, err := w.reencryptOne(t.Context(), stale); err != nil || got != untouched {
		t.Errorf("deleted: %d, %v", got, err)
	}
}

// Many records take several pages.
func TestReencryptMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "k1:"+keyOf('a'))
	const n = reencryptPage + 3
	for i := range n {
		must(t, w.raw.Create(t.Context(), store.Customer{ID: fmt.Sprintf("c%04d", i), Phone: one, Head: store.Head{Version: 1}}))
	}
	done, err := w.Reencrypt(t.Context(), "c0000")
	if want := (Reencrypted{Checked: n - 1, Encrypted: n - 1}); err != nil || done != want {
		t.Errorf("%+v, %v", done, err)
	}
}
