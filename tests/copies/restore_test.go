package copies_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/store"
)

// position returns the position of the newest entry in the store at the place, where
// no server runs.
func (p place) position(t *testing.T) (last store.Position) {
	t.Helper()
	s, err := server.OpenStore(t.Context(), p.configuration(), options, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries, err := s.ReadFeed(t.Context(), store.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		last = e.Position
	}
	return last
}

// first returns the position of the oldest entry.
func (p place) first(t *testing.T) store.Position {
	t.Helper()
	s, err := server.OpenStore(t.Context(), p.configuration(), options, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries, err := s.ReadFeed(t.Context(), store.Position{}, 0)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	return entries[0].Position
}

// TestRestoreUsesNoPositionAgain restores over a file that went on after the backup,
// over one that cannot be read, and into an empty folder.
func TestRestoreUsesNoPositionAgain(t *testing.T) {
	t.Parallel()
	p := file(t)
	s := p.start(t)
	client := s.NewClient(t, "shop", "users:read")
	path := save(t, s)
	for range 20 {
		s.AdminDo(t, http.MethodPost, "/clients/"+client.ClientID+"/void-tokens", nil)
	}
	s.Close()
	last := p.position(t)
	moved := p.restore(t, path).Moved
	if first := p.first(t); !first.After(last) {
		t.Errorf("the restored feed begins at %s, and the old one ended at %s", first, last)
	}
	if _, err := os.Stat(moved); err != nil {
		t.Errorf("the old file: %v", err)
	}

	data := filepath.Join(p.configuration().Store.Embedded.Path, "grantd.db")
	if err := os.WriteFile(data, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.restore(t, path)
	if first := p.first(t); first.Seq < 1<<32 {
		t.Errorf("over a damaged file, the restored feed begins at %s, which may have been used", first)
	}
	empty := file(t)
	empty.restore(t, path)
	if first := empty.first(t); first.Seq < 1<<32 {
		t.Errorf("in an empty folder, the restored feed begins at %s, which may have been used", first)
	}
	if list, _ := filepath.Glob(filepath.Join(filepath.Dir(data), "restore-*")); len(list) > 0 {
		t.Errorf("%v are left", list)
	}
}

// TestRestoreRefuses lists what a restore does not do.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	p := file(t)
	s := p.start(t)
	path := save(t, s)
	restore := func(p place, force bool) error {
		_, err := server.RestoreStore(t.Context(), p.configuration(), path, force, options)
		return err
	}
	if err := restore(p, true); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while a server has the store open: %v", err)
	}
	s.Close()
	if err := restore(p, false); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("a store that is not empty: %v", err)
	}
	live := p.configuration()
	live.Environment = "live"
	if _, err := server.RestoreStore(t.Context(), live, path, true, options); err == nil || !strings.Contains(err.Error(), `is of environment "sandbox", but the configuration has "live"`) {
		t.Errorf("a backup of another environment: %v", err)
	}
	before := p.position(t)
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restore(p, true); !errors.Is(err, backup.ErrFile) {
		t.Errorf("a damaged backup: %v", err)
	}
	if after := p.position(t); after != before {
		t.Errorf("what was refused has changed the store: %s, %s", before, after)
	}
}

// TestBackupOfAServer checks the endpoint.
func TestBackupOfAServer(t *testing.T) {
	t.Parallel()
	s := file(t).start(t)
	r := s.AdminDo(t, http.MethodPost, backup.PathBackup, nil)
	if sum, err := backup.Verify(strings.NewReader(r.Body)); err != nil || sum.Environment != "sandbox" || r.Header.Get("Content-Type") != "application/jsonl" {
		t.Errorf("%+v, %v, %v", sum, err, r.Header)
	}
	if r := s.AdminDo(t, http.MethodGet, backup.PathBackup, nil); r.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v", r)
	}
	if events := s.AdminDo(t, http.MethodGet, "/audit", nil).Body; !strings.Contains(events, `"action":"store.backup"`) {
		t.Errorf("the audit does not have the backup: %s", events)
	}
}
