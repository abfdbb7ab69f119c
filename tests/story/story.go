// Package story runs .txtar files with the whole program. Each file is a story of
// using grantd, in the commands of an operator and their clients. They can be read
// as a manual.
//
// Besides the commands of testscript there are
//
//	up NAME grantd ...     start a server, wait until it is ready, and put its
//	                       public URL into $NAME and its admin socket into
//	                       $NAME_SOCKET; of grantd edge, its URL into $NAME
//	down NAME              send Ctrl-C to the server, which must end with exit
//	                       code 0; what it printed and logged is then in stdout
//	                       and stderr
//	said NAME VAR EXPR     wait until the server has printed or logged text that matches
//	                       the regular expression EXPR, and put its group into
//	                       $VAR
//	exits CODE program ... run a program that must end with the exit code
//	phone NAME FILE        start a receiver of customers.webhook, put its URL
//	                       into $NAME, its key into webhook.key, and each
//	                       message that it gets into FILE
//	cards NAME URL ID SECRET
//	                       start a resource server that asks the grantd at URL
//	                       with this id and secret, and put its own URL into
//	                       $NAME
//	redis start NAME [--flag value ...]
//	                       start a Redis, and put its address into $NAME
//	redis kill NAME        kill it; redis restart NAME starts it again with its
//	                       data, redis do NAME COMMAND sends it a command
//	json NAME path         put a value of the JSON in stdout into $NAME; the
//	                       path is names and indexes with dots between
//
// Every server listens on a free port, and each story has a separate folder.
package story

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/program"
)

const (
	readyTime = 30 * time.Second
	stopTime  = 30 * time.Second
	saidTime  = 10 * time.Second
)

// Run runs the stories in the folder, each as a parallel subtest.
func Run(t *testing.T, dir string) {
	folder := filepath.Dir(program.Path(t))
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", folder+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("GRANTD_PUBLIC_LISTEN", "127.0.0.1:0")
			e.Setenv("GRANTD_METRICS_LISTEN", "127.0.0.1:0")
			e.Values[serversKey{}] = &world{servers: map[string]*running{}, redis: map[string]*redistest.Server{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": up, "down": down, "said": said, "exits": exits, "json": jsonValue, "phone": phone, "cards": cards,
			"redis": func(ts *testscript.TestScript, neg bool, args []string) { redis(t, ts, neg, args) },
		},
	})
}

type serversKey struct{}

// world is what runs beside one story.
type world struct {
	servers map[string]*running
	redis   map[string]*redistest.Server
}

// running is a server in the background.
type running struct {
	cmd      *exec.Cmd
	out, err output
	done     chan error
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
	// line receives the first line that matches ready.
	line chan []string
}

var ready = regexp.MustCompile(`(?m)^ready (?:public|edge)=(\S+)(?: admin=(\S+))?\n`)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.b.Write(p)
	if m := ready.FindStringSubmatch(o.b.String()); m != nil && o.line != nil {
		o.line <- m
		o.line = nil
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func up(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: up NAME program ...")
	}
	name := args[0]
	r := &running{cmd: command(ts, args[1:]), done: make(chan error, 1)}
	line := make(chan []string, 1)
	r.out.line = line
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	ts.Check(r.cmd.Start())
	go func() { r.done <- r.cmd.Wait() }()
	servers(ts)[name] = r
	ts.Defer(func() {
		if servers(ts)[name] == r {
			_ = r.cmd.Process.Kill()
			<-r.done
		}
	})
	select {
	case m := <-line:
		ts.Setenv(name, m[1])
		ts.Setenv(name+"_SOCKET", m[2])
	case err := <-r.done:
		delete(servers(ts), name)
		ts.Fatalf("%s ended: %v\n%s%s", name, err, &r.out, &r.err)
	case <-time.After(readyTime):
		ts.Fatalf("%s is not ready after %s:\n%s%s", name, readyTime, &r.out, &r.err)
	}
	_, err := ts.Stdout().Write([]byte(r.out.String()))
	ts.Check(err)
}

func down(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || servers(ts)[args[0]] == nil {
		ts.Fatalf("usage: down NAME, of a running server")
	}
	r := servers(ts)[args[0]]
	delete(servers(ts), args[0])
	ts.Check(r.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-r.done:
		_, _ = ts.Stdout().Write([]byte(r.out.String()))
		_, _ = ts.Stderr().Write([]byte(r.err.String()))
		ts.Check(err)
	case <-time.After(stopTime):
		_ = r.cmd.Process.Kill()
		<-r.done
		ts.Fatalf("%s still runs %s after Ctrl-C:\n%s", args[0], stopTime, &r.err)
	}
}

func said(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || servers(ts)[args[0]] == nil {
		ts.Fatalf("usage: said NAME VAR EXPR, of a running server")
	}
	find, err := regexp.Compile(args[2])
	ts.Check(err)
	out, logged := &servers(ts)[args[0]].out, &servers(ts)[args[0]].err
	for give := time.Now().Add(saidTime); ; time.Sleep(time.Millisecond) { // output arrives through a pipe
		m := find.FindStringSubmatch(out.String())
		if m == nil {
			m = find.FindStringSubmatch(logged.String())
		}
		if len(m) == 2 {
			ts.Setenv(args[1], m[1])
			return
		}
		if time.Now().After(give) {
			ts.Fatalf("%s has not printed or logged %s:\n%s%s", args[0], find, out, logged)
		}
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program ...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: json NAME path")
	}
	text := ts.ReadFile("stdout")
	if _, body, ok := strings.Cut(text, "\r\n\r\n"); ok {
		text = body // after the headers that curl -i prints
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		ts.Fatalf("stdout is not JSON: %v", err)
	}
	for name := range strings.SplitSeq(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				ts.Fatalf("the list has no element %s", name)
			}
			v = at[i]
		default:
			v = nil
		}
		if v == nil {
			ts.Fatalf("stdout has no member %q of the path %q", name, args[1])
		}
	}
	s, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		ts.Check(err)
		s = string(b)
	}
	ts.Setenv(args[0], s)
}

func servers(ts *testscript.TestScript) map[string]*running {
	return ts.Value(serversKey{}).(*world).servers
}

// command returns a command in the story's folder. It passes on only the
// environment variables named here; a story adds more by up NAME env A=B grantd ...
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path, err := lookPath(ts, args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GRANTD_PUBLIC_LISTEN", "GRANTD_METRICS_LISTEN", "GRANTD_CONFIG"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	return cmd
}

// lookPath finds a program in the story's PATH, which has grantd, and not in that
// of this process.
func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
