package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// The crash test runs this test binary again as a child that writes, and kills
// it. These variables make the process a child.
const (
	crashFolder = "GRANTD_EMBEDDED_CRASH_FOLDER"
	crashFirst  = "GRANTD_EMBEDDED_CRASH_FIRST"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		fmt.Println("child:", writeForever(folder))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForever writes a token, a client and a feed entry for each number. It
// prints the number and the entry's position once all three are acknowledged.
func writeForever(folder string) error {
	first, err := strconv.Atoi(os.Getenv(crashFirst))
	if err != nil {
		return err
	}
	s, err := Open(Options{Path: folder})
	if err != nil {
		return err
	}
	const writers = 8
	failed := make(chan error)
	var out sync.Mutex
	for w := range writers {
		go func() {
			for n := first + w; ; n += writers {
				p, err := writeOne(s, n)
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(n, p.Seq)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func writeOne(s *Store, n int) (store.Position, error) {
	ctx := context.Background()
	now := time.Now()
	if err := s.PutToken(ctx, testDigest(uint64(n)), testToken(now, 6*time.Hour)); err != nil {
		return store.Position{}, err
	}
	if err := s.Clients().Create(ctx, store.Client{ID: strconv.Itoa(n)}); err != nil {
		return store.Position{}, err
	}
	return s.AppendFeed(ctx, store.Entry{Kind: store.EntryVoid, Key: store.PrincipalClient(strconv.Itoa(n)), At: now})
}

func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	folder := t.TempDir()
	acknowledged := map[int]uint64{}
	next := 0
	for round := range 4 {
		for n, seq := range killWriter(t, folder, next, 150+100*round) {
			acknowledged[n] = seq
			next = max(next, n+100) // past those that were written but not printed
		}
		checkAll(t, folder, acknowledged)
	}
}

// killWriter starts a child, kills it after it has acknowledged count numbers,
// and returns all that it acknowledged.
func killWriter(t *testing.T, folder string, first, count int) map[int]uint64 {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashFolder+"="+folder, crashFirst+"="+strconv.Itoa(first))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	told := map[int]uint64{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "child:") {
			t.Fatal(line)
		}
		var n int
		var seq uint64
		if _, err := fmt.Sscan(line, &n, &seq); err != nil {
			continue // truncated by the kill
		}
		told[n] = seq
		if len(told) == count {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
	if len(told) < count {
		t.Fatalf("the child acknowledged %d numbers, want %d", len(told), count)
	}
	return told
}

// checkAll fails unless every acknowledged write is there and the file is
// undamaged.
func checkAll(t *testing.T, folder string, acknowledged map[int]uint64) {
	t.Helper()
	s, err := Open(Options{Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	entries := feedBySeq(t, s)
	for n, seq := range acknowledged {
		id := strconv.Itoa(n)
		if _, err := s.GetToken(t.Context(), testDigest(uint64(n))); err != nil {
			t.Errorf("token %d: %v", n, err)
		}
		if _, err := s.Clients().Get(t.Context(), id); err != nil {
			t.Errorf("client %d: %v", n, err)
		}
		if entries[seq] != store.PrincipalClient(id) {
			t.Errorf("feed entry %d is %q, want the one of %d", seq, entries[seq], n)
		}
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("the file is damaged: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func feedBySeq(t *testing.T, s *Store) map[uint64]string {
	t.Helper()
	keys := map[uint64]string{}
	var after store.Position
	for {
		page, err := s.ReadFeed(t.Context(), after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return keys
		}
		for _, e := range page {
			keys[e.Position.Seq] = e.Key
			after = e.Position
		}
	}
}
