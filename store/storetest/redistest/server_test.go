package redistest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestServerLife(t *testing.T) {
	t.Parallel()
	s := Start(t)
	addr := s.Addr
	s.Stop()
	if ping(addr) == nil {
		t.Fatal("a stopped server replies")
	}
	s.Stop() // stopping twice is harmless
	s.Restart()
	if s.Addr != addr {
		t.Fatalf("restarted at %s, was at %s", s.Addr, addr)
	}
	if err := ping(addr); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if ping(addr) == nil {
		t.Fatal("a killed server replies")
	}
}

func TestPersistenceIsOffByDefault(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Stop()
	for _, name := range []string{"dump.rdb", "appendonlydir"} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	s = Start(t, "--appendonly", "yes")
	if _, err := os.Stat(filepath.Join(s.dir, "appendonlydir")); err != nil {
		t.Errorf("arguments do not override the defaults: %v", err)
	}
}

func TestServerWithPasswordIsReady(t *testing.T) {
	t.Parallel()
	s := Start(t, "--requirepass", "wanted")
	if err := ping(s.Addr); err != nil {
		t.Fatal(err)
	}
}
