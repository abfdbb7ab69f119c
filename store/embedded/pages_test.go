package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// fullFile makes a file of many pages in the folder, and returns its content.
func fullFile(t *testing.T, folder string, clock *storetest.Clock) []byte {
	t.Helper()
	s := open(t, folder, clock)
	ctx, now := t.Context(), clock.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		must(s.Clients().Create(ctx, store.Client{
			ID: fmt.Sprintf("c%03d", i), Name: fmt.Sprint(rand.Uint64()), Scopes: []string{"users:read", "users:write"},
			Head: store.Head{CreatedAt: now, UpdatedAt: now, Version: 1},
		}))
	}
	for i := range 90 {
		var d store.Digest
		d[0], d[1] = byte(i), byte(i>>8)
		must(s.PutToken(ctx, d, store.Token{
			Use: store.UseClient, ClientID: "c001", SecretID: "Ab3dEf7h", Scopes: "users:read", IssuedAt: now.Truncate(time.Second),
			ExpiresAt: now.Truncate(time.Second).Add(time.Duration(1+i%3) * time.Hour),
		}))
	}
	var events []store.AuditEvent
	for i := range 100 {
		events = append(events, store.AuditEvent{Time: now, Action: "client.create", Target: fmt.Sprint(i), Actor: "uid:0", Outcome: "done"})
	}
	events = append(events, store.AuditEvent{Action: "large", Target: string(bytes.Repeat([]byte("x"), 3*4096))}) // with overflow pages
	must(s.AppendAudit(ctx, events...))
	_, err := s.AppendFeed(ctx, store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, At: now})
	must(err)
	must(s.Stamp(ctx, store.Stamp{Environment: "sandbox", Format: store.Format}))
	must(s.WitnessFeed(ctx, "mine"))
	must(s.Ping(ctx))
	closeStore(t, s)
	content, err := os.ReadFile(filepath.Join(folder, fileName))
	must(err)
	return content
}

// everything returns all items of the store.
func everything(t *testing.T, s *Store) (all []store.Item) {
	t.Helper()
	for _, section := range store.Sections() {
		for cursor := ""; ; {
			items, next, err := s.Dump(t.Context(), section, cursor, 100)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, items...)
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	return all
}

// TestEachDamagedPage overwrites each page of a file in turn, in several ways. Open
// refuses the file in one line that says what to do, or the page was not in use and
// nothing is missing. A damaged meta page may hide the last transaction, so the file
// counts as one that was restored.
func TestEachDamagedPage(t *testing.T) {
	t.Parallel()
	folder, clock := t.TempDir(), storetest.NewClock()
	content := fullFile(t, folder, clock)
	path, pageSize := filepath.Join(folder, fileName), os.Getpagesize()
	s := open(t, folder, clock)
	want := everything(t, s)
	closeStore(t, s)
	refused := 0
	for page := range len(content) / pageSize {
		for name, damage := range map[string]func([]byte){
			"zeros":        func(b []byte) { clear(b) },
			"random bytes": func(b []byte) { random(b) },
			"its header":   func(b []byte) { random(b[:pageHeader]) },
			"another page": func(b []byte) { other := (page + 5) % (len(content) / pageSize); copy(b, content[other*pageSize:]) },
		} {
			damaged := bytes.Clone(content)
			damage(damaged[page*pageSize:][:pageSize])
			if bytes.Equal(damaged, content) {
				continue
			}
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Options{Path: folder, Now: clock.Now})
			if err != nil {
				refused++
				oneLine(t, err, store.ErrUnsuitable, "run `grantd store restore` with a backup")
				found := 0
				if _, err := InspectFile(folder, func(store.Finding) { found++ }); err != nil || found == 0 {
					t.Errorf("page %d, %s: Open refuses the file, but InspectFile finds nothing: %v", page, name, err)
				}
				continue
			}
			lineage, err := s.FeedLineage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// Nobody reads the header of a meta page.
			if meta := page < firstDataPage && name != "its header"; meta && lineage.Witnessed != lostMeta || !meta && lineage.Witnessed != "mine" {
				t.Errorf("page %d, %s: witnessed %q", page, name, lineage.Witnessed)
			}
			// The rest of a long value has no structure that could be checked.
			if got := everything(t, s); page >= firstDataPage && !isOverflow(content, page, pageSize) && !reflect.DeepEqual(got, want) {
				t.Errorf("page %d, %s: opened, but its items differ:\n%s", page, name, cmp.Diff(want, got))
			}
			closeStore(t, s)
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

// isOverflow reports whether the page continues an earlier one.
func isOverflow(content []byte, page, pageSize int) bool {
	for p := firstDataPage; p < page; p++ {
		header := content[p*pageSize:]
		if binary.LittleEndian.Uint64(header) == uint64(p) && p+int(binary.LittleEndian.Uint32(header[12:])) >= page {
			return true
		}
	}
	return false
}

func random(b []byte) {
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
}

// TestPagesOfARunningStore checks that a check of a store in use finds nothing,
// whatever is written meanwhile.
func TestPagesOfARunningStore(t *testing.T) {
	t.Parallel()
	folder, clock := t.TempDir(), storetest.NewClock()
	fullFile(t, folder, clock)
	s := open(t, folder, clock)
	done := make(chan error, 1)
	go func() {
		for i := range 300 {
			if err := s.WitnessFeed(t.Context(), fmt.Sprint(i)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		if err := s.Inspect(t.Context(), func(f store.Finding) { t.Errorf("%s", f.Problem) }); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzPages checks that no content of a file makes checkPages panic or run without
// end.
func FuzzPages(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 3*4096))
	f.Fuzz(func(_ *testing.T, content []byte) {
		file := append([]byte{}, metaOf(4096, 8, 2)...)
		file = append(file, metaOf(4096, 8, 1)...)
		file = append(file, content...)
		file = append(file, make([]byte, 8*4096)...)[:8*4096]
		for _, content := range [][]byte{file, content} {
			checkPages(bytes.NewReader(content), func() int64 { return int64(len(content)) }, func(error) {})
		}
	})
}

// metaOf returns a meta page.
func metaOf(size int, pages, transaction uint64) []byte {
	b := make([]byte, size)
	m, le := b[pageHeader:], binary.LittleEndian
	le.PutUint32(m, metaMagic)
	le.PutUint32(m[4:], metaVersion)
	le.PutUint32(m[8:], uint32(size))
	le.PutUint64(m[16:], firstDataPage)
	le.PutUint64(m[40:], pages)
	le.PutUint64(m[48:], transaction)
	sum := fnv.New64a()
	sum.Write(m[:metaSize-8])
	le.PutUint64(m[metaSize-8:], sum.Sum64())
	return b
}
