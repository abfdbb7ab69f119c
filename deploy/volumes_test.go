package deploy

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// container runs commands in the root file system of an image.
type container struct {
	root         string
	data         string // folder that is mounted at /data, in a root that is read-only; "": none is, and all can be written
	user, groups string // uid:gid, and more groups
	env          []string
}

// mounted mounts $2 at /data of $1, makes the rest of $1 read-only, and runs chroot
// with the other arguments.
const mounted = `root=$1 data=$2; shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind "$data" "$root/data"
exec /usr/sbin/chroot "$@"`

func (c container) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	inside := slices.Concat([]string{"--userspec=" + c.user, "--groups=" + c.groups, c.root}, args)
	if c.data == "" {
		inside = append([]string{"/usr/sbin/chroot"}, inside...)
	} else {
		inside = append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-euc", mounted, "sh", c.root, c.data}, inside...)
	}
	return asRoot(t, slices.Concat([]string{"env", "-i"}, c.env, inside)...)
}

// start runs the image's command on a free port and returns its URL, and a function
// that stops it.
func (c *container) start(t *testing.T, command []string) (url string, stop func()) {
	t.Helper()
	// The health check must know the port.
	c.env = append(slices.Clone(c.env), "GRANTD_PUBLIC_LISTEN="+freeAddress(t), "GRANTD_METRICS_LISTEN=")
	cmd := c.command(t, command...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := true
	stop = func() {
		if !running {
			return
		}
		running = false
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || strings.Contains(stderr.String(), `"WARN"`) {
			t.Errorf("it ended with: %v\n%s", err, &stderr)
		}
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("it does not serve: %v\n%s", err, &stderr)
	}
	public := regexp.MustCompile(`public=(http://127\.0\.0\.1:\d+) admin=/data/run/admin.sock\n`).FindStringSubmatch(line)
	if public == nil {
		t.Fatalf("it prints %q", line)
	}
	return public[1], stop
}

// responds sends requests to the server and runs the image's health check.
func (c container) responds(t *testing.T, url string, check []string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	for _, path := range []string{"/healthz", "/readyz"} {
		res, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if out, err := c.command(t, check...).CombinedOutput(); err != nil {
		t.Errorf("the health check: %v\n%s", err, out)
	}
}

// volumes are the folders that container platforms mount at /data, and the users that
// they start the image as. fsGroup is the group to which Kubernetes opens everything
// in a volume, each time that it mounts it; "": it does not.
var volumes = map[string]struct {
	owner, mode          string
	user, group, fsGroup string
}{
	"a new volume of Docker":  {owner: "65532:0", mode: "0770", user: "65532:65532"},
	"fsGroup":                 {owner: "0:65532", mode: "2775", user: "65532:65532", group: "65532", fsGroup: "65532"},
	"emptyDir":                {owner: "0:0", mode: "0777", user: "65532:65532"},
	"any user of group 0":     {owner: "65532:0", mode: "0770", user: "1000650000:0"},
	"OpenShift, with fsGroup": {owner: "0:1000650000", mode: "2775", user: "1000650000:0", group: "1000650000", fsGroup: "1000650000"},
}

// testVolumes is a part of TestImage: the image starts on each volume twice, with a
// read-only root file system, and logs no warning.
func testVolumes(t *testing.T, base string, image container, command, check []string) {
	for name, v := range volumes {
		t.Run(name, func(t *testing.T) {
			c := image
			c.data, c.user, c.groups = filepath.Join(base, strings.ReplaceAll(name, " ", "-")), v.user, v.group
			for _, args := range [][]string{{"mkdir", c.data}, {"chown", v.owner, c.data}, {"chmod", v.mode, c.data}} {
				output(t, asRoot(t, args...))
			}
			for _, first := range []bool{true, false} {
				if v.fsGroup != "" {
					output(t, asRoot(t, "chgrp", "-R", v.fsGroup, c.data))
					output(t, asRoot(t, "find", c.data, "-type", "d", "-exec", "chmod", "ug+rwx,g+s", "{}", "+"))
					output(t, asRoot(t, "find", c.data, "!", "-type", "d", "-exec", "chmod", "ug+rw", "{}", "+"))
				}
				url, stop := c.start(t, command)
				c.responds(t, url, check)
				if first {
					output(t, c.command(t, "/grantd", "client", "create", "--id", "shop", "--scope", "users:read"))
				} else if list := output(t, c.command(t, "/grantd", "client", "list")); !strings.Contains(list, "shop") {
					t.Errorf("after a restart:\n%s", list)
				}
				if mode := output(t, asRoot(t, "stat", "-c", "%a", c.data+"/run")); mode != "700" && mode != "2700" {
					t.Errorf("the folder of the socket has mode %s", mode)
				}
				stop()
			}
		})
	}
}
