package phonekeys

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keyOf returns the base64 of a key made of one byte.
func keyOf(b byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), keyBytes)))
}

// write writes a file with the keys and returns its path.
func write(t *testing.T, path string, lines ...string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "phone.keys")
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	keys, err := Load(write(t, "", "# the newest first", "", "k2:"+keyOf('b')+"\r", "  k1:"+keyOf('a')))
	if err != nil || keys.first != "k2" || len(keys.byID) != 2 {
		t.Errorf("%+v, %v", keys, err)
	}
	if keys, err = Load(""); err != nil || keys.first != "" {
		t.Errorf("no file: %+v, %v", keys, err)
	}
}

// Each fault is named, with its line, and nothing of the file is shown.
func TestFaultsOfTheFile(t *testing.T) {
	t.Parallel()
	const hush = "hushhushhush"
	for name, tc := range map[string]struct {
		lines []string
		want  []string
	}{
		"nothing":         {[]string{""}, []string{"holds no key"}},
		"only comments":   {[]string{"# " + hush}, []string{"holds no key"}},
		"no name":         {[]string{keyOf('a')}, []string{":1: must be NAME:KEY"}},
		"empty name":      {[]string{":" + keyOf('a')}, []string{":1: must be NAME:KEY"}},
		"bad name":        {[]string{"my key:" + keyOf('a')}, []string{":1: must be NAME:KEY"}},
		"long name":       {[]string{strings.Repeat("k", maxID+1) + ":" + keyOf('a')}, []string{":1: must be NAME:KEY"}},
		"not base64":      {[]string{"k1:" + hush + "!"}, []string{":1: the key must be the base64 of 32 bytes"}},
		"16 bytes":        {[]string{"k1:" + base64.StdEncoding.EncodeToString(make([]byte, 16))}, []string{":1: the key must be the base64 of 32 bytes"}},
		"33 bytes":        {[]string{"k1:" + base64.StdEncoding.EncodeToString(make([]byte, 33))}, []string{":1: the key must be the base64 of 32 bytes"}},
		"the same name":   {[]string{"k1:" + keyOf('a'), "", "k1:" + keyOf('b')}, []string{":3: has the same name as line 1"}},
		"several":         {[]string{"k1:" + hush, "k2:" + keyOf('a'), hush}, []string{":1: the key", ":3: must be NAME:KEY"}},
		"larger than all": {[]string{"#" + strings.Repeat(hush, maxFile/len(hush)+1)}, []string{"is larger than 16 KiB"}},
	} {
		_, err := Load(write(t, "", tc.lines...))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		if len(got) != len(tc.want) || strings.Contains(err.Error(), hush) || strings.Contains(err.Error(), keyOf('a')) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range tc.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %s, want %s", name, got[i], want)
			}
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestModeOfTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "", "k1:"+keyOf('a'))
	for mode, good := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o440: true, 0o640: true, 0o644: false, 0o604: false, 0o660: false, 0o602: false, 0o601: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%#o: %v", mode, err)
		}
	}
}

// A file that is wrong when it is read again changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	path := write(t, "", "k1:"+keyOf('a'))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "k2:"+keyOf('b'), "k1:"+keyOf('a'))
	if err := f.Reload(); err != nil || f.keys.Load().first != "k2" {
		t.Errorf("after a change: %v", err)
	}
	write(t, path, "k3:")
	if err := f.Reload(); err == nil || f.keys.Load().first != "k2" {
		t.Errorf("after a bad change: %v", err)
	}
}

func TestObscure(t *testing.T) {
	t.Parallel()
	plain, err := Open("")
	if err != nil || plain.Obscure("+15555550136") != "+15555550136" {
		t.Errorf("without keys: %v", err)
	}
	seen := map[string]bool{}
	for _, key := range []byte{'a', 'b'} {
		f, err := Open(write(t, "", "k1:"+keyOf(key)))
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range []string{"+15555550136", "+15555550137"} {
			name := f.Obscure(number)
			if seen[name] || strings.Contains(name, "5555") || name != f.Obscure(number) {
				t.Errorf("%s is counted as %s", number, name)
			}
			seen[name] = true
		}
	}
}
