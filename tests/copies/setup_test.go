// Package copies_test runs whole servers around backups, restores and moves of their
// stores.
package copies_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 4)) }

var options = backup.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), MadeBy: "test", Actor: "uid:0"}

// place is where a store is: the part of a configuration that names it.
type place func(*config.Config)

func file(t *testing.T) place {
	folder := filepath.Join(t.TempDir(), "data")
	return func(c *config.Config) { c.Store.Embedded.Path = folder }
}

func redis(t *testing.T) place { return harness.OnRedis(redistest.Start(t).Addr) }

var kinds = map[string]func(*testing.T) place{"embedded": file, "redis": redis}

// eachPair runs the test for each kind of store that is copied from, with each kind
// of store that is copied to.
func eachPair(t *testing.T, test func(t *testing.T, from, to place)) {
	t.Parallel()
	for a, from := range kinds {
		for b, to := range kinds {
			t.Run(a+" to "+b, func(t *testing.T) {
				t.Parallel()
				test(t, from(t), to(t))
			})
		}
	}
}

// configuration returns a configuration with the store.
func (p place) configuration() config.Config {
	c := config.Defaults()
	p(&c)
	return c
}

// start starts a server on the store.
func (p place) start(t *testing.T, edit ...func(*config.Config)) *harness.Server {
	t.Helper()
	return harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		p(c)
		c.Cache.MaxStaleness = harness.QuickStaleness
		for _, e := range edit {
			e(c)
		}
	}})
}

// save makes a backup of the running server, and returns the path of the file.
func save(t *testing.T, s *harness.Server) string {
	t.Helper()
	r := s.AdminDo(t, http.MethodPost, backup.PathBackup, nil)
	if r.Status != http.StatusOK {
		t.Fatalf("backup: %v", r)
	}
	path := filepath.Join(t.TempDir(), "grantd.backup")
	if err := os.WriteFile(path, []byte(r.Body), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (p place) restore(t *testing.T, path string) server.Restored {
	t.Helper()
	r, err := server.RestoreStore(t.Context(), p.configuration(), path, true, options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
