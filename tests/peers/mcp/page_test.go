package mcp

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/program"
)

const page = "../../../server/oauth/MCP.md"

var fenced = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// blocksOf returns the blocks of the page in the languages: language and text.
func blocksOf(t *testing.T, languages ...string) (blocks [][2]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
		if slices.Contains(languages, m[1]) {
			blocks = append(blocks, [2]string{m[1], m[2]})
		}
	}
	return blocks
}

// files are the programs of the page, in its order.
var files = []string{"server/main.go", "client/main.go", "node/client.mjs"}

// TestPageShowsTheFiles: the programs on the page are those that are tested.
func TestPageShowsTheFiles(t *testing.T) {
	blocks := blocksOf(t, "go", "js")
	if len(blocks) != len(files) {
		t.Fatalf("%d programs on the page, want %d", len(blocks), len(files))
	}
	for i, file := range files {
		if text, err := os.ReadFile(file); err != nil || string(text) != blocks[i][1] {
			t.Errorf("%s differs from the page: %v", file, err)
		}
	}
}

// TestPage runs the commands of the page in one shell, with free ports, in an empty
// folder in which each program is saved where the page shows it. What a text block
// says must be what the commands before it print; … is anything. Only the TypeScript
// SDK is there already.
func TestPage(t *testing.T) {
	t.Parallel()
	installNode(t)
	dir, err := os.MkdirTemp("", "grantd-page-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Symlink(program.Path(t), filepath.Join(dir, "grantd")); err != nil {
		t.Fatal(err)
	}
	public, mcp := freeAddress(t), freeAddress(t)
	blocks := blocksOf(t, "sh", "text", "go", "js")
	shell := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script(t, dir, blocks))
	shell.Dir = filepath.Join(dir, "page")
	sdk, err := filepath.Abs("node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(shell.Dir, "node"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sdk, filepath.Join(shell.Dir, "node", "node_modules")); err != nil {
		t.Fatal(err)
	}
	shell.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PUBLIC_PORT="+port(t, public), "MCP_PORT="+port(t, mcp),
		"GRANTD_PUBLIC_LISTEN="+public, "GRANTD_METRICS_LISTEN=127.0.0.1:0", "GRANTD_SHUTDOWN_DRAIN=0s",
		"GRANTD_ADMIN_SOCKET="+dir+"/admin.sock", "GRANTD_STORE_EMBEDDED_PATH="+dir+"/data")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run and its program too
	var stderr strings.Builder
	shell.Stderr = &stderr
	timer := time.AfterFunc(4*time.Minute, func() { _ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.String())
	}
	printed := strings.Split(string(out), "\n"+mark+"\n")
	n := -1
	for _, b := range blocks {
		if b[0] == "sh" {
			n++
		}
		if b[0] != "text" {
			continue
		}
		want := "^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(b[1])), "…", "(?s:.*)") + "$"
		if got := strings.TrimSpace(printed[n]); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("the page says\n%s\nbut this is printed:\n%s\n%s", b[1], got, stderr.String())
		}
	}
}

const mark = "end of block"

// script makes the blocks one script that saves the programs and runs the sh blocks,
// and prints mark after each of these. It waits until servers are ready, and ends them
// at its end.
func script(t *testing.T, dir string, blocks [][2]string) string {
	t.Helper()
	b := strings.Builder{}
	b.WriteString("trap 'kill 0' EXIT\n")
	saved := 0
	for i, block := range blocks {
		if block[0] == "go" || block[0] == "js" {
			source := filepath.Join(dir, fmt.Sprintf("%d.program", i))
			if err := os.WriteFile(source, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "install -D %s %s\n", source, files[saved])
			saved++
		}
		if block[0] != "sh" {
			continue
		}
		text := strings.NewReplacer(":8080", ":$PUBLIC_PORT", ":8000", ":$MCP_PORT").Replace(block[1])
		if starts.MatchString(text) {
			log := filepath.Join(dir, fmt.Sprintf("%d.log", i))
			text = fmt.Sprintf("%s >%[2]s 2>&1 &\nuntil grep -qs '\\bready ' %[2]s; do kill -0 $! || { cat %[2]s; exit 1; }; sleep 0.1; done\n",
				strings.TrimSuffix(strings.TrimSpace(text), " &"), log)
		}
		b.WriteString(text + "printf '\\n%s\\n' '" + mark + "'\n")
	}
	b.WriteString("trap '' TERM\nkill 0\n") // TERM to the servers; the shell itself goes on
	return b.String()
}

// starts finds the blocks whose last command runs until it is interrupted.
var starts = regexp.MustCompile(`\b(grantd serve|go run \./server &)\n$`)

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
