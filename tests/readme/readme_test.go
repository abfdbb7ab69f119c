package readme

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/program"
)

var root = filepath.Join("..", "..")

// ports of the pages that are replaced by free ones.
var ports = []string{"8080", "8081", "6379", "9465", "9464", "9000", "8090", "8443"}

// pages are what is run: a whole page, or one section of it, which then finds
// ./grantd in its folder.
var pages = []struct{ file, section string }{
	{"README.md", ""},
	{"deploy/OPERATING.md", "## Try it: secrets, leaks, audit"},
	{"deploy/OPERATING.md", "### Try it: two processes on one Redis"},
	{"deploy/MOVING.md", "## Try it"},
	{"server/customers/APP_GUIDE.md", "## Try it"},
	{"server/partners/PARTNER_GUIDE.md", "## Try it"},
	{"server/apikeys/KEY_GUIDE.md", "## Try it"},
	{"server/edge/EDGE.md", "## Try it"},
}

func TestPages(t *testing.T) {
	for _, p := range pages {
		t.Run(p.file+" "+p.section, func(t *testing.T) {
			t.Parallel()
			markdown := readFile(t, filepath.Join(root, p.file))
			if p.section == "" {
				if testing.Short() {
					t.Skip("it builds a copy of the source")
				}
				run(t, p.file, markdown, 0, copyTree(t, root))
				return
			}
			part, before := section(markdown, p.section)
			run(t, p.file, part, before, programFolder(t, program.Path(t)))
		})
	}
}

// run does in a folder what a page, or a section after so many lines, says.
func run(t *testing.T, file, markdown string, before int, dir string) {
	t.Helper()
	free := freePorts(t, len(ports))
	markdown = renumber(markdown, free)
	if gateway := filepath.Join(dir, "deploy", "gateways", "nginx.conf"); before == 0 {
		if err := os.WriteFile(gateway, []byte(renumber(readFile(t, gateway), free)), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stopDaemon(t, filepath.Join(dir, "nginx.pid")) })
	}
	env := append(os.Environ(), "GRANTD_PUBLIC_LISTEN=127.0.0.1:"+free[0], "GRANTD_METRICS_LISTEN=127.0.0.1:"+free[4],
		"GRANTD_EDGE_LISTEN=127.0.0.1:"+free[6],
		// As `make build` compiles, so that what it compiled is found again.
		"CGO_ENABLED=0", "GOFLAGS="+os.Getenv("GOFLAGS")+" -trimpath -tags=nomsgpack")
	r := reader{shell: newShell(t, dir, env), publicPort: free[0]}
	for _, b := range blocks(markdown) {
		r.read(t, b)
		if t.Failed() {
			t.Fatalf("%s:%d", file, before+b.line)
		}
	}
	if r.commands == 0 {
		t.Errorf("no commands in %s", file)
	}
}

// renumber puts free ports in the place of those that the text names.
func renumber(text string, free []string) string {
	for i, p := range ports {
		text = regexp.MustCompile(`\b`+p+`\b`).ReplaceAllString(text, free[i])
	}
	return text
}

// reader does what a page says, block by block.
type reader struct {
	*shell
	publicPort string
	commands   int
	printed    string   // by the block before
	responses  []string // to what was pasted
	pasted     bool
	file       string // that the last paragraph says to save
}

func (r *reader) read(t *testing.T, b block) {
	t.Helper()
	switch b.lang {
	case "":
		r.paragraph(t, b.text)
	case "sh":
		r.commands++
		r.printed, r.pasted = r.block(t, b.text), false
	case "text":
		if wrong := matchText(b.text, r.printed); wrong != "" {
			t.Error(wrong)
		}
	case "json":
		r.json(t, b.text)
	case "go":
		r.save(t, b.text)
	default:
		t.Errorf("a block of %q: sh, text, json and go are what is tested", b.lang)
	}
}

func (r *reader) block(t *testing.T, text string) string {
	t.Helper()
	var printed strings.Builder
	servers := 0
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if !starts.MatchString(line) {
			continue
		}
		servers++
		if strings.HasSuffix(line, " dev") && strings.HasPrefix(line, "go run ") {
			line += " --listen 127.0.0.1:" + r.publicPort // it reads no environment
		}
		printed.WriteString(r.start(line))
	}
	switch servers {
	case 0:
		return r.run(text)
	case len(lines):
		return printed.String()
	}
	t.Error("servers and other commands in one block")
	return ""
}

func (r *reader) paragraph(t *testing.T, text string) {
	t.Helper()
	if strings.HasPrefix(text, "    ") {
		target, ok := strings.CutPrefix(strings.TrimSpace(text), "make ")
		if makefile := readFile(t, "../../Makefile"); !ok || !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("%q is no target of the Makefile", text)
		}
		return
	}
	if strings.Contains(text, " paste ") {
		r.paste()
	}
	if strings.Contains(text, "Ctrl-C") {
		r.interrupt()
	}
	if m := saves.FindStringSubmatch(text); m != nil {
		r.file = m[1]
	}
}

// saves finds where a paragraph says to save the program that follows.
var saves = regexp.MustCompile("[Ss]ave this as\\s`([a-z/.]+)`")

// save writes a program to the file that the paragraph before it names.
func (r *reader) save(t *testing.T, text string) {
	t.Helper()
	if r.file == "" {
		t.Error("a program, and no paragraph says where to save it")
		return
	}
	path := filepath.Join(r.dir, r.file)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.file = ""
}

// paste runs what the last server printed to be pasted.
func (r *reader) paste() {
	r.t.Helper()
	r.responses, r.pasted = nil, true
	for line := range strings.Lines(r.printed) {
		if strings.HasPrefix(line, "curl ") || strings.HasPrefix(line, "TOKEN=") || strings.HasPrefix(line, "sleep ") {
			r.responses = append(r.responses, r.run(line))
		}
	}
	if len(r.responses) == 0 {
		r.t.Error("there is nothing to paste")
	}
}

// json finds the block in what was printed, or among the responses to what was
// pasted, behind the one before.
func (r *reader) json(t *testing.T, want string) {
	t.Helper()
	if !r.pasted {
		if wrong := matchJSON(want, r.printed); wrong != "" {
			t.Error(wrong)
		}
		return
	}
	for i, response := range r.responses {
		if matchJSON(want, response) == "" {
			r.responses = r.responses[i+1:]
			return
		}
	}
	t.Errorf("no response like\n%s\nin\n%s", want, strings.Join(r.responses, "\n"))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func freePorts(t *testing.T, n int) (free []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // all at the end: none twice
		free = append(free, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
	return free
}

// TestMatch: what counts as the same, and what does not.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		rule, want, got string
		json, same      bool
	}{
		{"the same", "a\n", "a\n", false, true},
		{"another", "a\n", "b\n", false, false},
		{"more lines", "a\n", "a\nb\n", false, false},
		{"anything in a line", "a … c\n", "a b c\n", false, true},
		{"any lines", "a\n…\nd\n", "a\nb\nc\nd\n", false, true},
		{"no lines", "a\n…\nd\n", "a\nd\n", false, true},
		{"any time", "at 2026-11-22T02:17:01Z\n", "at 2030-01-02T03:04:05Z\n", false, true},
		{"wider columns", "a  b\n", "a      b\n", false, true},
		{"members in another order", `{"a":1,"b":[true]}`, `{"b":[true],"a":1}`, true, true},
		{"a member more", `{"a":1}`, `{"b":2,"a":1}`, true, false},
		{"a member less", `{"a":1,"b":2}`, `{"a":1}`, true, false},
		{"another value", `{"a":[1]}`, `{"a":[2]}`, true, false},
		{"any Unix time", `{"a":1687436422}`, `{"a":1790000000}`, true, true},
		{"no Unix time", `{"a":7200}`, `{"a":3600}`, true, false},
		{"part of a string", `{"a":"gt_…"}`, `{"a":"gt_x"}`, true, true},
		{"any further members", `{"a":1,"…":"…"}`, `{"a":1,"b":2}`, true, true},
		{"a member less, and any further ones", `{"a":1,"…":"…"}`, `{"b":2}`, true, false},
	} {
		match := matchText
		if c.json {
			match = matchJSON
		}
		if got := match(c.want, c.got); (got == "") != c.same {
			t.Errorf("%s: %q", c.rule, got)
		}
	}
}
