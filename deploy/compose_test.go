package deploy

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// prepared returns a copy of compose with the files that prepare.sh makes.
func prepared(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "compose")
	if err := os.CopyFS(dir, os.DirFS("compose")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "run")); err != nil { // left by somebody who ran it
		t.Fatal(err)
	}
	write(t, filepath.Join(top, aclFile), read(t, aclFile))
	for range 2 { // the second run keeps the files of the first
		if out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "prepare.sh")).CombinedOutput(); err != nil {
			t.Fatalf("prepare.sh: %v\n%s", err, out)
		}
	}
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// service has the parts of a compose service that a test checks.
type service struct {
	Image   string   `yaml:"image"`
	Volumes []string `yaml:"volumes"`
	Command any      `yaml:"command"`
	Depends any      `yaml:"depends_on"` // a list, or a map with conditions
}

// TestComposeFiles: the files and services that the compose files name exist.
func TestComposeFiles(t *testing.T) {
	dir := prepared(t)
	for _, name := range []string{"redis", "sentinel", "cluster"} {
		var file struct {
			Services map[string]service `yaml:"services"`
			Volumes  map[string]any     `yaml:"volumes"`
		}
		if err := yaml.Unmarshal([]byte(read(t, filepath.Join(dir, name+".yaml"))), &file); err != nil {
			t.Fatalf("%s.yaml: %v", name, err)
		}
		grantds := 0
		for which, s := range file.Services {
			if s.Image == "grantd" {
				grantds++
			}
			for _, v := range s.Volumes {
				from, _, _ := strings.Cut(v, ":")
				_, named := file.Volumes[from]
				if _, err := os.Stat(filepath.Join(dir, from)); !named && err != nil {
					t.Errorf("%s.yaml: %s: %v", name, which, err)
				}
			}
			for _, on := range names(s.Depends) {
				if _, ok := file.Services[on]; !ok {
					t.Errorf("%s.yaml: %s depends on %s, which does not exist", name, which, on)
				}
			}
		}
		if grantds != 2 {
			t.Errorf("%s.yaml: %d processes of grantd", name, grantds)
		}
	}
}

func names(depends any) (all []string) {
	switch d := depends.(type) {
	case []any:
		for _, n := range d {
			all = append(all, n.(string))
		}
	case map[string]any:
		for n := range d {
			all = append(all, n)
		}
	}
	return all
}

// TestComposeRuns: grantd with the configuration of each compose file works with
// Redis servers that have theirs. Host names and ports are replaced by local ones.
func TestComposeRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it needs Redis Sentinel and a Redis Cluster")
	}
	t.Run("redis", func(t *testing.T) {
		dir := local(t)
		s := redistest.Start(t, dir+"/redis.conf")
		story(t, dir, "standalone", s.Addr)
		for key, want := range map[string]string{"maxmemory-policy": "noeviction", "maxmemory": "536870912", "appendfsync": "everysec"} {
			if got := admin(t, dir, s.Addr, "config", "get", key); !strings.Contains(got, want) {
				t.Errorf("%s: %s", key, got)
			}
		}
	})
	t.Run("sentinel", func(t *testing.T) {
		dir := local(t)
		master := redistest.Start(t, dir+"/redis.conf", "--min-replicas-to-write", "1")
		replicate(t, dir, master, func() {
			redistest.Start(t, dir+"/redis.conf", "--min-replicas-to-write", "1", "--replicaof", "127.0.0.1", portOf(t, master))
		})
		conf := read(t, dir+"/run/sentinel.conf")
		write(t, dir+"/run/sentinel.conf", strings.Replace(conf, "redis-1 6379", "127.0.0.1 "+portOf(t, master), 1))
		sentinel := redistest.Start(t, dir+"/run/sentinel.conf", "--sentinel")
		poll.AwaitTrue(t, patience, "the sentinel has logged in", func() bool {
			return strings.Contains(cli(t, sentinel.Addr, "default", "", "sentinel", "master", "grantd"), "num-slaves\n1")
		})
		story(t, dir, "sentinel", sentinel.Addr)
	})
	t.Run("cluster", func(t *testing.T) {
		dir := local(t)
		master := redistest.Start(t, dir+"/redis-cluster.conf")
		admin(t, dir, master.Addr, "cluster", "addslotsrange", "0", "16383")
		replicate(t, dir, master, func() {
			replica := redistest.Start(t, dir+"/redis-cluster.conf")
			admin(t, dir, replica.Addr, "cluster", "meet", "127.0.0.1", portOf(t, master))
			id := strings.TrimSpace(admin(t, dir, master.Addr, "cluster", "myid"))
			poll.AwaitTrue(t, patience, "the nodes know one another", func() bool {
				return strings.Contains(admin(t, dir, replica.Addr, "cluster", "replicate", id), "OK")
			})
		})
		story(t, dir, "cluster", master.Addr)
	})
}

// local returns a prepared folder whose Redis files contain its path instead of
// the paths in containers.
func local(t *testing.T) string {
	t.Helper()
	dir := prepared(t)
	for _, name := range []string{"redis.conf", "redis-cluster.conf", "run/sentinel.conf"} {
		path := filepath.Join(dir, name)
		write(t, path, strings.NewReplacer("/run/grantd/", dir+"/run/", "/etc/redis/", dir+"/", "dir /data", "dir "+dir).Replace(read(t, path)))
	}
	return dir
}

// replicate calls start and waits until the replica has caught up.
func replicate(t *testing.T, dir string, master *redistest.Server, start func()) {
	t.Helper()
	start()
	poll.AwaitTrue(t, patience, "the replica follows", func() bool {
		return strings.Contains(admin(t, dir, master.Addr, "info", "replication"), "state=online")
	})
}

func admin(t *testing.T, dir, addr string, command ...string) string {
	t.Helper()
	return cli(t, addr, "admin", read(t, dir+"/run/admin.password"), command...)
}

func portOf(t *testing.T, s *redistest.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// story requests a token, introspects it and revokes it.
func story(t *testing.T, dir, mode, addr string) {
	t.Helper()
	name := map[string]string{"standalone": "redis"}[mode]
	if name == "" {
		name = mode
	}
	cfg, warnings, err := config.Load(config.LoadOptions{File: dir + "/grantd-" + name + ".yaml"})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if cfg.Store.Redis.Mode != mode {
		t.Errorf("grantd-%s.yaml: mode %s", name, cfg.Store.Redis.Mode)
	}
	cfg.Store.Redis.Addresses = []string{addr}
	cfg.Store.Redis.PasswordFile = strings.Replace(cfg.Store.Redis.PasswordFile, "/run/grantd", dir+"/run", 1)
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		cfg.Public.Listen, cfg.Metrics.Listen = c.Public.Listen, c.Metrics.Listen
		cfg.Admin.Socket, cfg.Store.Embedded = c.Admin.Socket, c.Store.Embedded
		cfg.Store.Redis.ReplicaAcks = "0" // this machine may be too busy; tests/topology is about them
		*c = cfg
	}})
	shop := s.NewClient(t, "shop", "users:read")
	rs := s.NewClient(t, "rs", "introspect")
	token := s.Token(t, shop, "")
	if r := s.Introspect(t, rs, token); r.JSON(t)["active"] != true {
		t.Errorf("introspection: %d %s", r.Status, r.Body)
	}
	if r := s.Form(t, "/oauth/revoke", shop.ClientID, shop.ClientSecret, url.Values{"token": {token}}); r.Status != http.StatusOK {
		t.Errorf("revocation: %d %s", r.Status, r.Body)
	}
	if r := s.Introspect(t, rs, token); r.JSON(t)["active"] != false {
		t.Errorf("introspection after revocation: %d %s", r.Status, r.Body)
	}
}

// TestComposeKnowsOnlyItsUsers: the passwords differ, and the placeholders of
// redis.acl are gone.
func TestComposeKnowsOnlyItsUsers(t *testing.T) {
	dir := prepared(t)
	hashes := regexp.MustCompile(`#([0-9a-f]{64})`).FindAllStringSubmatch(read(t, dir+"/run/users.acl"), -1)
	seen := map[string]bool{}
	for _, h := range hashes {
		if strings.HasPrefix(h[1], "0000000000") || seen[h[1]] {
			t.Errorf("a password is a placeholder or is repeated: %s", h[1])
		}
		seen[h[1]] = true
	}
	for _, user := range []string{"grantd", "replica", "sentinel", "admin"} {
		if !seen[digest(read(t, dir+"/run/"+user+".password"))] {
			t.Errorf("%s.password is not in users.acl", user)
		}
	}
}
