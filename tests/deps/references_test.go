package deps

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// absent matches references to documents that are not in the repository.
var absent = regexp.MustCompile(`\b(contract|design|style)(\.md)?\s+§|\b(contract|design|style|rfc-cases|libraries)\.md\b|\bseeds?/\d|\brfc-cases\b|\b[A-EG-OR-TV-Z]\d{2}\b`)

// TestCitations: what a comment or a guide cites is in a clone, or is an RFC.
func TestCitations(t *testing.T) {
	for _, x := range allTexts(t) {
		if x.kind == literal {
			continue // data of tests
		}
		for _, at := range absent.FindAllStringIndex(x.body, -1) {
			t.Errorf("%s:%d: cites %q, which is not in the repository: explain it here, or cite a guide or an RFC", x.file, x.lineOf(at[0]), x.body[at[0]:at[1]])
		}
	}
}

// repoPath matches the path of a file or folder in the repository.
var repoPath = regexp.MustCompile(`(^|[\s("'` + "`" + `])((?:server|store|tests|config|scopes|deploy)/[\w./-]*\w/?|[\w.-]*\w\.(?:go|md|yaml|txtar|lua))($|[^\w/=:-])`)

// TestPaths: every path of the repository that a comment or a guide names
// exists. It may start at the root or at the folder of the text.
func TestPaths(t *testing.T) {
	found := 0
	exists := map[string]bool{} // paths, and base names of files
	for _, file := range allFiles(t) {
		exists[file], exists[path.Base(file)] = true, true
		for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
			exists[dir] = true
		}
	}
	for _, x := range allTexts(t) {
		if x.kind == literal {
			continue
		}
		for _, at := range repoPath.FindAllStringSubmatchIndex(x.body, -1) {
			found++
			name := strings.TrimSuffix(x.body[at[4]:at[5]], "/")
			if !exists[name] && !exists[path.Join(path.Dir(x.file), name)] && !isIdentifier(exists, name) && !elsewhere[name] {
				t.Errorf("%s:%d: %s does not exist in the repository", x.file, x.lineOf(at[4]), name)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d paths were found: this test does not work", found)
	}
}

// elsewhere lists files that the operator or user makes.
var elsewhere = map[string]bool{"grantd.yaml": true, "scopes.yaml": true}

// isIdentifier reports whether name is an identifier of a package, such as
// server/auth.Cache.
func isIdentifier(exists map[string]bool, name string) bool {
	dir, last := path.Split(name)
	pkg, identifier, found := strings.Cut(last, ".")
	return found && exists[dir+pkg] && identifier != "" && strings.ToUpper(identifier[:1]) == identifier[:1]
}

var (
	mdLink    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	mdHeading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	mdFence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// TestLinks: every link of a guide to a file or heading works.
func TestLinks(t *testing.T) {
	links := 0
	for _, x := range allTexts(t) {
		if x.kind != markdown {
			continue
		}
		for _, at := range mdLink.FindAllStringSubmatchIndex(blank(mdFence, x.body), -1) {
			target := x.body[at[2]:at[3]]
			if strings.Contains(target, ":") {
				continue // a URL
			}
			links++
			if problem := linkProblem(x.file, target); problem != "" {
				t.Errorf("%s:%d: the link %s: %s", x.file, x.lineOf(at[2]), target, problem)
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links were found: this test does not work", links)
	}
}

func linkProblem(file, target string) string {
	to, anchor, _ := strings.Cut(target, "#")
	linked := file
	if to != "" {
		linked = path.Join(path.Dir(file), to)
	}
	info, err := os.Stat(filepath.Join(root, linked))
	if err != nil {
		return "there is no " + linked
	}
	if anchor == "" {
		return ""
	}
	if info.IsDir() || path.Ext(linked) != ".md" {
		return linked + " has no headings"
	}
	b, err := os.ReadFile(filepath.Join(root, linked))
	if err != nil {
		return err.Error()
	}
	for _, m := range mdHeading.FindAllStringSubmatch(blank(mdFence, string(b)), -1) {
		if slug(m[1]) == anchor {
			return ""
		}
	}
	return linked + " has no such heading"
}

// slug returns the anchor that GitHub gives to a heading.
func slug(heading string) string {
	heading = notInSlug.ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(heading, " ", "-")
}

// blank replaces each match by spaces, so that offsets and lines stay the same.
func blank(r *regexp.Regexp, s string) string {
	return r.ReplaceAllStringFunc(s, func(m string) string {
		b := []byte(m)
		for i, c := range b {
			if c != '\n' {
				b[i] = ' '
			}
		}
		return string(b)
	})
}

// TestSlug shows the anchors of headings.
func TestSlug(t *testing.T) {
	for heading, want := range map[string]string{
		"First token":                  "first-token",
		"What happens when `Redis` is": "what-happens-when-redis-is",
		"TLS, and a proxy (in front)":  "tls-and-a-proxy-in-front",
		"client_secret_basic":          "client_secret_basic",
		"What happens when Redis …":    "what-happens-when-redis-",
	} {
		if got := slug(heading); got != want {
			t.Errorf("%q: %q, want %q", heading, got, want)
		}
	}
}
