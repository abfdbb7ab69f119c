package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// An older copy of the file is another incarnation: nobody has vouched for it,
// and no position of the feed is used twice.
func TestReplacedFile(t *testing.T) {
	for _, row := range []struct {
		rule    string
		replace func(t *testing.T, folder string, older []byte)
		older   bool
	}{
		{"nothing was replaced", func(*testing.T, string, []byte) {}, false},
		{"an older copy", func(t *testing.T, folder string, older []byte) {
			put(t, filepath.Join(folder, fileName), older)
		}, true},
		{"the same older copy again", func(t *testing.T, folder string, older []byte) {
			put(t, filepath.Join(folder, fileName), older)
			s := reopen(t, folder)
			witnessed(t, s)
			s.Close()
			put(t, filepath.Join(folder, fileName), older)
		}, true},
		{"a file of a grantd that kept no witness", func(t *testing.T, folder string, _ []byte) {
			if err := os.Remove(filepath.Join(folder, witnessName)); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a witness that cannot be read", func(t *testing.T, folder string, _ []byte) {
			put(t, filepath.Join(folder, witnessName), []byte("\x00\x00"))
		}, false},
	} {
		t.Run(row.rule, func(t *testing.T) {
			folder := t.TempDir()
			s := reopen(t, folder)
			witnessed(t, s)
			told(t, s)
			s.Close()
			older, err := os.ReadFile(filepath.Join(folder, fileName))
			if err != nil {
				t.Fatal(err)
			}
			s = reopen(t, folder)
			newest := told(t, s)
			s.Close()

			row.replace(t, folder, older)
			s = reopen(t, folder)
			l, err := s.FeedLineage(t.Context())
			if err != nil || (l.Current != l.Witnessed) != row.older {
				t.Errorf("lineage %+v, %v", l, err)
			}
			if p := told(t, s); !p.After(newest) {
				t.Errorf("position %v is used twice: it was %v", p, newest)
			}
			s.Close()
			again, err := reopen(t, folder).FeedLineage(t.Context())
			if err != nil || again != l {
				t.Errorf("opened again: %+v, %v, want %+v", again, err, l)
			}
		})
	}
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(Options{Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// told appends an entry and returns its position.
func told(t *testing.T, s *Store) store.Position {
	t.Helper()
	p, err := s.AppendFeed(t.Context(), store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// witnessed vouches for the store as it is.
func witnessed(t *testing.T, s *Store) {
	t.Helper()
	l, err := s.FeedLineage(t.Context())
	if err == nil {
		err = s.WitnessFeed(t.Context(), l.Current)
	}
	if err != nil {
		t.Fatal(err)
	}
}
