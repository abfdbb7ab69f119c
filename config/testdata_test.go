package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each file in testdata/bad has one fault. The first line is the error of Load:
// "# want: path: problem", with {file} for the name of the file.
func TestBadFiles(t *testing.T) {
	for _, name := range files(t, "testdata/bad") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, _, err := Load(LoadOptions{File: name})
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Load: error %v, want Faults", err)
			}
			if got, want := faults.Error(), "config: "+wanted(t, name); got != want {
				t.Errorf("Load:\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestGoodFiles(t *testing.T) {
	for _, name := range files(t, "testdata/good") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, _, err := Load(LoadOptions{File: name}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Each file in testdata/warn is valid and has one warning: "# want: path: problem".
func TestWarnings(t *testing.T) {
	for _, name := range files(t, "testdata/warn") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			cfg, _, err := Load(LoadOptions{File: name})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := cfg.Warnings().Error(), "config: "+wanted(t, name); got != want {
				t.Errorf("Warnings:\n got %s\nwant %s", got, want)
			}
		})
	}
	if got := Defaults().Warnings(); len(got) > 0 {
		t.Errorf("the defaults have warnings: %v", got)
	}
}

// Every limit that is on by default has a warning when it is off.
func TestEveryLimitThatIsOffWarns(t *testing.T) {
	defaults, off := Defaults(), Defaults()
	want := map[string]bool{}
	for _, k := range allKeys() {
		if _, name := k.parts(); strings.HasPrefix(k.path, "limits.") && name == "count" {
			want[k.path] = k.in(&defaults).Interface() != 0
			k.in(&off).SetInt(0)
		}
	}
	for _, w := range off.Warnings() {
		if !want[w.Path] {
			t.Errorf("%s: %s", w.Path, w.Problem)
		}
		delete(want, w.Path)
	}
	for path, missing := range want {
		if missing {
			t.Errorf("%s has no warning", path)
		}
	}
}

// What does not reach other machines has no warning.
func TestNoWarnings(t *testing.T) {
	for _, name := range []string{"admin-listen", "live-behind-proxy", "live-twilio", "metrics-off", "public-behind-proxy", "public-tls", "public-loopback"} {
		cfg, _, err := Load(LoadOptions{File: filepath.Join("testdata", "good", name+".yaml")})
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Warnings(); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	edge := Defaults()
	edge.Public.TrustedProxies = []string{
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "203.0.0.0/16",
		"fc00::/7", "fd00::/8", "fe80::/10", "::1", "2001:db8::/32",
	}
	edge.Limits.CodesPerPhone.Count *= muchMore
	edge.Limits.IssuePerClient.Limit = Limit{Count: 10_000, Per: time.Second}
	if got := edge.Warnings(); len(got) > 0 {
		t.Errorf("private networks and the highest limits: %v", got)
	}
	local := Defaults()
	local.Store.Backend = "redis"
	for i, address := range []string{"127.0.0.1:6379", "localhost:6379", "[::1]:6379"} {
		local.Store.Redis.Addresses = []string{address}
		local.Store.Redis.Mode = []string{"standalone", "sentinel", "cluster"}[i]
		if got := local.Warnings(); len(got) > 0 {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s (%v)", folder, err)
	}
	return names
}

func wanted(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	want, ok := strings.CutPrefix(first, "# want: ")
	if !ok {
		t.Fatalf("%s: the first line is not a # want: line", name)
	}
	return strings.ReplaceAll(want, "{file}", name)
}
