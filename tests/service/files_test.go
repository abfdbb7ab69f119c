package service_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/poll"
	"github.com/grantd/grantd/tests/program"
)

// A process that may open few files accepts fewer connections, says so, and still
// serves the admin socket when strangers have all of them.
func TestFewOpenFiles(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "grantd-files-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const address = "127.0.0.1:0"
	config := filepath.Join(dir, "grantd.yaml")
	text := "public: {listen: " + address + "}\nadmin: {socket: " + dir + "/admin.sock}\nmetrics: {listen: \"\"}\nstore: {embedded: {path: " + dir + "/data}}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `ulimit -n 1024 && exec "$0" serve --config "$1"`, program.Path(t), config)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end := func() {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(os.Interrupt)
			_ = cmd.Wait()
		}
	}
	t.Cleanup(end)
	ready := make([]byte, 512)
	n, err := out.Read(ready)
	if err != nil {
		t.Fatal(err)
	}
	url, _, _ := strings.Cut(strings.TrimPrefix(string(ready[:n]), "ready public="), " ")
	public := strings.TrimPrefix(url, "http://")
	// More than the process may have files, from many networks, each with a request
	// that does not end.
	opened := 0
	for i := range 1200 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 9, byte(1+i%200))}, Timeout: time.Second}
		c, err := d.Dial("tcp", public)
		if err != nil {
			continue
		}
		t.Cleanup(func() { c.Close() })
		_, _ = io.WriteString(c, "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n")
		opened++
	}
	if got, err := exec.Command(program.Path(t), "client", "list", "--socket", filepath.Join(dir, "admin.sock")).CombinedOutput(); err != nil {
		t.Errorf("the admin socket: %v\n%s", err, got)
	}
	// Somebody with no connection gets in.
	poll.Await(t, poll.Patience, "health", func() string {
		res, err := (&http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(url + "/healthz")
		if err != nil {
			return err.Error()
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			return res.Status
		}
		return ""
	})
	end()
	if !strings.Contains(log.String(), "accepts fewer connections") || !strings.Contains(log.String(), "connections or requests refused") {
		t.Errorf("the log says nothing of it:\n%s", log.String())
	}
	if strings.Contains(log.String(), "too many open files") {
		t.Error("it ran out of files")
	}
	t.Logf("%d opened", opened)
}
