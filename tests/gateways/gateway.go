package gateways

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/spawn"
)

// Gateway is a gateway of others. With its file of deploy/gateways it guards /cards
// (scope cards; tokens of clients, of customers and on behalf) and /accounts (scope
// accounts; tokens of clients), lets everybody reach /public, each with all paths below
// it, and responds with 404 to the rest.
type Gateway struct {
	Name string
	// File is its file in deploy/gateways.
	File string
	// Family is how it states the original request.
	Family gateway.Family
	// Start starts it and returns its address, where it speaks TLS.
	Start func(t testing.TB, s Settings) (address string)
	// Quirks are the cases to which it responds with another status.
	Quirks []Quirk
}

// Quirk is why a gateway responds to some cases with another status.
type Quirk struct {
	Why    string
	Status int
	Cases  []string // their names
}

// Settings are the addresses that a gateway's file needs.
type Settings struct {
	Grantd           string // host:port of what decides
	API              string // host:port
	Certificate, Key string // files
}

// Fill returns the content of a file of deploy/gateways with other values for some of
// its words: pairs of the old and the new one. Each old one must occur exactly once, so
// that all the rest is what an operator copies.
func Fill(t testing.TB, file string, pairs ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy", "gateways", file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for pair := range slices.Chunk(pairs, 2) {
		if n := strings.Count(text, pair[0]); n != 1 {
			t.Fatalf("%s has %q %d times, and the test replaces it once", file, pair[0], n)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// root is the folder of the module, seen from a test of this package.
var root = filepath.Join("..", "..")

// folder returns a new folder of the test with the files, which every user may read.
// In their content, RUN is the path of the folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := spawn.Folder(t)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(content, "RUN/", dir+"/")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// read returns a file of testdata.
func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
