package redis_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
	"github.com/grantd/grantd/tests/program"
)

// manyVariable is how many revocations TestManyRevocations loads.
const manyVariable = "GRANTD_REVOCATIONS"

// TestManyRevocations starts grantd on a store with many revocations, and logs how
// long that takes and how much memory they need. On two idle cores a
// million should take less than 5 s and 100 MiB.
//
//	GRANTD_REVOCATIONS=1000000 go test ./tests/redis -run TestManyRevocations -v
func TestManyRevocations(t *testing.T) {
	n := 20_000
	if text := os.Getenv(manyVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	grantd := program.Path(t)
	var server *redistest.Server
	for name, open := range map[string]func(t *testing.T, dir string) (config string, s store.Store){
		"redis": func(t *testing.T, _ string) (string, store.Store) {
			server = redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
			addr := server.Addr
			s, err := redisstore.Open(t.Context(), redisstore.Options{Addresses: []string{addr}, KeyPrefix: "grantd:", ReadTimeout: patience})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("store: {backend: redis, redis: {addresses: [%q]}}", addr), s
		},
		"embedded": func(t *testing.T, dir string) (string, store.Store) {
			path := filepath.Join(dir, "data")
			s, err := embedded.Open(embedded.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("store: {embedded: {path: %q}}", path), s
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "grantd-many-") // t.TempDir is too long a path for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			config, s := open(t, dir)
			path := filepath.Join(dir, "grantd.yaml")
			text := fmt.Sprintf("public: {listen: \"127.0.0.1:0\"}\nadmin: {socket: %q}\nmetrics: {listen: \"\"}\nshutdown: {drain: 0s}\n%s\n", filepath.Join(dir, "s"), config)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if !s.Shared() { // one process at a time
				_ = s.Close()
			}
			_, empty := startAndMeasure(t, grantd, path)
			if !s.Shared() {
				_, s = open(t, dir)
			}
			revokeMany(t, s, n)
			_ = s.Close()
			shared := s.Shared()
			took, full := startAndMeasure(t, grantd, path, func(url string, log *output) {
				if shared {
					recoverMany(t, server, url, log)
				}
			})
			more := (full.anonymous - empty.anonymous) >> 20
			t.Logf("%d revocations: ready after %v, %d MiB more (RSS %d MiB more, %d MiB in all)",
				n, took.Round(time.Millisecond), more, (full.all-empty.all)>>20, full.all>>20)
			// The time is only bounded roughly: other tests run beside this one.
			const million, bound, room = 1_000_000, 15 * time.Second, 100
			if took > bound || more > int64(room*n/million)+30 {
				t.Errorf("%d revocations: ready after %v with %d MiB more, want %v and %d MiB for a million", n, took, more, bound, room)
			}
		})
	}
}

// recoverMany logs how long grantd has no feed after Redis restarts with its data,
// and after it lost all of it, so that everything is written back.
func recoverMany(t *testing.T, redis *redistest.Server, url string, log *output) {
	t.Helper()
	for what, lose := range map[string]func(){
		"restarted": func() {
			redis.Kill()
			redis.Restart()
		},
		"emptied": func() { harness.DialRedis(t, redis.Addr).Do(t, "FLUSHALL") },
	} {
		loaded := log.count("feed: loaded")
		begun := time.Now()
		lose()
		poll.Await(t, 2*time.Minute, "ready after Redis was "+what, func() string {
			if log.count("feed: loaded") == loaded {
				return "the feed was not loaded again"
			}
			res, err := http.Get(url + "/readyz")
			if err != nil {
				return err.Error()
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return res.Status
			}
			return ""
		})
		t.Logf("Redis was %s: ready after %v", what, time.Since(begun).Round(time.Millisecond))
	}
}

// revokeMany appends revocations as replicas do.
func revokeMany(t *testing.T, s store.Store, n int) {
	t.Helper()
	page := make([]store.Entry, 0, 5000)
	now := time.Now().UTC()
	for i := range n {
		page = append(page, store.Entry{
			Kind: store.EntryVoid, Key: store.PrincipalToken(sha256.Sum256([]byte(strconv.Itoa(i)))), By: "client:billing-" + strconv.Itoa(i%7),
			At: now, Until: now.Add(time.Hour + time.Duration(i%(22*60))*time.Minute),
		})
		if len(page) == cap(page) || i == n-1 {
			if _, err := s.AppendFeed(t.Context(), page...); err != nil {
				t.Fatal(err)
			}
			page = page[:0]
		}
	}
}

// startAndMeasure starts grantd, waits until it is ready, and returns how long that
// took and its resident memory.
func startAndMeasure(t *testing.T, grantd, config string, also ...func(url string, log *output)) (time.Duration, memory) {
	t.Helper()
	cmd := exec.Command(grantd, "serve", "--config", config)
	log := &output{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("%q %v", line, err)
	}
	took := time.Since(begun)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range also {
		url, _, _ := strings.Cut(strings.TrimPrefix(line, "ready public="), " ")
		f(url, log)
	}
	return took, memory{field(t, status, "VmRSS:"), field(t, status, "RssAnon:")}
}

// output is what a process wrote to standard error so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) count(message string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Count(o.text.Bytes(), []byte(message))
}

// memory is the resident memory of a process, in bytes. What is not anonymous is
// mainly the file of the embedded store, which the kernel takes back at will.
type memory struct{ all, anonymous int64 }

func field(t *testing.T, status []byte, name string) int64 {
	t.Helper()
	for l := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(l, name); ok {
			n, err := strconv.ParseInt(strings.Fields(kb)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
