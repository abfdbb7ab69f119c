package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

const (
	aclFile     = "redis.acl"
	aclPassword = "of the test"
	adminPass   = "of the user test"
	patience    = 20 * time.Second
)

// withACL starts a Redis with the users of redis.acl and one more for the test.
func withACL(t *testing.T, args ...string) *redistest.Server {
	t.Helper()
	text := regexp.MustCompile(`(user grantd on )#\S+`).ReplaceAllString(read(t, aclFile), "${1}#"+digest(aclPassword))
	text += "user test on #" + digest(adminPass) + " ~* &* +@all\n"
	path := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return redistest.Start(t, append([]string{"--aclfile", path}, args...)...)
}

func digest(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// cli runs one Redis command as the user and returns its output.
func cli(t *testing.T, addr, user, password string, command ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-h", host, "-p", port, "--no-auth-warning", "--user", user, "--pass", password}, command...)
	out, err := exec.CommandContext(t.Context(), "redis-cli", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", command[0], err, out)
	}
	return string(out)
}

// TestStoreUnderACL: the whole store suite runs as the user of redis.acl. It is
// refused no command, and uses every command it is granted.
func TestStoreUnderACL(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it needs a Redis Cluster")
	}
	plain, cluster := withACL(t), withACL(t, "--cluster-enabled", "yes")
	cli(t, cluster.Addr, "test", adminPass, "cluster", "addslotsrange", "0", "16383")
	poll.AwaitTrue(t, patience, "the Cluster is whole", func() bool {
		return strings.Contains(cli(t, cluster.Addr, "test", adminPass, "cluster", "info"), "cluster_state:ok")
	})
	as := func(s *redistest.Server) redisstore.Options {
		login := redisstore.Login{Username: "grantd", Password: func() (string, error) { return aclPassword, nil }}
		return redisstore.Options{Addresses: []string{s.Addr}, Login: login, KeyPrefix: "grantd:"}
	}
	t.Run("Standalone", func(t *testing.T) { storetest.Run(t, suite(as(plain))) })
	t.Run("Cluster", func(t *testing.T) {
		o := as(cluster)
		o.Mode = redisstore.ModeCluster
		storetest.Run(t, suite(o))
	})
	t.Run("Database", func(t *testing.T) {
		o := as(plain)
		o.DB = 1
		openStore(t, o)
	})
	t.Run("Acks", func(t *testing.T) {
		o := as(plain)
		o.Acks = redisstore.Acks{Critical: 1, Timeout: time.Millisecond}
		s := openStore(t, o)
		_ = s.Clients().Create(t.Context(), store.Client{ID: "a"}) // WAIT fails, because there is no replica
	})

	called := map[string]bool{}
	for _, s := range []*redistest.Server{plain, cluster} {
		if log := strings.TrimSpace(cli(t, s.Addr, "test", adminPass, "acl", "log")); log != "" {
			t.Errorf("refused by the ACL:\n%s", log)
		}
		stats := cli(t, s.Addr, "test", adminPass, "info", "commandstats")
		for _, m := range regexp.MustCompile(`(?m)^cmdstat_([a-z|]+):`).FindAllStringSubmatch(stats, -1) {
			called[m[1]] = true
		}
	}
	called["asking"] = true // needed only while a slot moves; tests/topology covers that
	for _, name := range granted(t) {
		if !called[name] {
			t.Errorf("%s grants %s, which the suite does not use", aclFile, name)
		}
	}
}

// TestACLRefusesTheRest: commands that grantd's password does not allow.
func TestACLRefusesTheRest(t *testing.T) {
	t.Parallel()
	s := withACL(t)
	for _, command := range [][]string{
		{"set", "other:key", "1"},
		{"get", "other:key"},
		{"eval", "return redis.call('GET', 'other:key')", "1", "grantd:key"},
		{"keys", "*"},
		{"randomkey"},
		{"flushall"},
		{"config", "get", "*"},
		{"acl", "list"},
		{"monitor"},
		{"replicaof", "no", "one"},
		{"shutdown"},
		{"script", "flush"},
		{"client", "list"},
	} {
		if got := cli(t, s.Addr, "grantd", aclPassword, command...); !refusal.MatchString(got) {
			t.Errorf("%s: %s", strings.Join(command, " "), got)
		}
	}
	if got := cli(t, s.Addr, "default", "", "ping"); strings.Contains(got, "PONG") {
		t.Error("the default user can log in")
	}
}

// refusal matches how Redis refuses a command, also inside a script.
var refusal = regexp.MustCompile(`^NOPERM|can't access at least one of the keys`)

// granted returns the commands of the grantd user.
func granted(t *testing.T) (names []string) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^user grantd .*$`).FindString(read(t, aclFile))
	for _, word := range strings.Fields(line) {
		if name, ok := strings.CutPrefix(word, "+"); ok {
			names = append(names, name)
		}
	}
	if len(names) < 20 || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "@") }) {
		t.Fatalf("commands of the grantd user: %q", names)
	}
	return names
}

// suite returns a harness for the store suite with the options. It is the part
// of store/redisstore/harness_test.go that needs no Redis client.
func suite(o redisstore.Options) storetest.Harness {
	var stores atomic.Int64
	return storetest.Harness{New: func(t *testing.T) storetest.Opened {
		o, clock := o, storetest.NewClock()
		o.KeyPrefix = fmt.Sprintf("grantd:suite%d:", stores.Add(1))
		o.Now, o.AuditRetention, o.AuditMaxEvents = clock.Now, storetest.AuditRetention, storetest.AuditMaxEvents
		// The suite does not test timeouts, and the machine may stall.
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 5*time.Second, 5*time.Second, 5*time.Second
		var aged time.Duration
		moved := time.Now()
		s := openStore(t, o)
		return storetest.Opened{
			Store: s, Now: clock.Now,
			Advance: func(d time.Duration) {
				clock.Advance(d)
				age(s, d)
				aged += d
				by := d - time.Since(moved)
				moved = time.Now()
				cli(t, o.Addresses[0], "test", adminPass, "eval", shiftEnds, "0", o.KeyPrefix+"*", fmt.Sprint(by.Milliseconds()))
			},
			Reopen: func() store.Store {
				s = openStore(t, o)
				age(s, aged)
				return s
			},
		}
	}}
}

// shiftEnds moves the expiry of every key.
const shiftEnds = `
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local left = redis.call('PTTL', key)
    if left > 0 then redis.call('PEXPIRE', key, left - ARGV[2]) end
  end
until cursor == '0'`

// age makes stream entries look older, like the method age in the tests of
// redisstore. Redis measures their age by its clock, which a test cannot move.
func age(s *redisstore.Store, d time.Duration) {
	for _, field := range []string{"feedRetention", "auditRetention"} {
		v := reflect.ValueOf(s).Elem().FieldByName(field) // without it, this panics
		*(*time.Duration)(unsafe.Pointer(v.UnsafeAddr())) -= d
	}
}

func openStore(t *testing.T, o redisstore.Options) *redisstore.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := redisstore.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestACLHoldsWhatScriptsCall: the ACL grants every command that a script of the
// store calls, even if the suite does not reach it.
func TestACLHoldsWhatScriptsCall(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, name := range granted(t) {
		have[name] = true
	}
	calls := map[string]bool{}
	files, err := filepath.Glob("../store/redisstore/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`redis\.call\('([A-Z]+)'`).FindAllStringSubmatch(read(t, file), -1) {
			calls[strings.ToLower(m[1])] = true
		}
	}
	if len(calls) < 10 {
		t.Errorf("found only %d commands in scripts", len(calls))
	}
	missing := maps.Clone(calls)
	maps.DeleteFunc(missing, func(name string, _ bool) bool { return have[name] })
	if diff := cmp.Diff(map[string]bool{}, missing); diff != "" {
		t.Errorf("%s lacks (+):\n%s", aclFile, diff)
	}
}
