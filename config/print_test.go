package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExampleIsTheDefaults(t *testing.T) {
	got, warnings, err := Load(LoadOptions{File: written(t, Example())})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Load(Example): %v, %v", warnings, err)
	}
	if diff := cmp.Diff(Defaults(), got); diff != "" {
		t.Error(diff)
	}
}

func TestExampleHoldsEveryKeyAndItsComment(t *testing.T) {
	notes := comments()
	f := &file{schema: newSchema(), origin: map[string]string{}}
	if _, err := f.parse([]byte(Example())); err != nil {
		t.Fatal(err)
	}
	for _, k := range allKeys() {
		if f.origin[k.path] == "" {
			t.Errorf("%s is not in the example", k.path)
		}
		if notes[k.path] == "" {
			t.Errorf("%s has no line in comments.go", k.path)
		} else if !strings.Contains(Example(), "# "+notes[k.path]+"\n") {
			t.Errorf("the comment of %s is not in the example on a separate line", k.path)
		}
		delete(notes, k.path)
	}
	for path := range notes {
		t.Errorf("%s has a comment and is not a key", path)
	}
}

// unusual returns a configuration in which no key has its default. It need not
// be valid.
func unusual() Config {
	c := Defaults()
	for _, k := range allKeys() {
		v := k.in(&c)
		switch k.kind {
		case kindText:
			v.SetString("a: 'b' \"c\" #d\n\t\u00a0é " + v.String())
		case kindNumber:
			v.SetInt(v.Int() + 7)
		case kindSwitch:
			v.SetBool(!v.Bool())
		case kindDuration:
			v.SetInt(v.Int() + int64(25*time.Hour+time.Millisecond))
		case kindList:
			v.Set(reflect.ValueOf([]string{"true", "", "1", "a, b", "null", "x:"}))
		case kindAcks:
			v.SetString("3")
		}
	}
	return c
}

func TestYAMLReadsBack(t *testing.T) {
	want := unusual()
	l := newLoader()
	if err := l.addFile(written(t, want.YAML())); err != nil {
		t.Fatal(err)
	}
	got, err := l.merged()
	if err != nil || len(l.faults) > 0 {
		t.Fatalf("%v, %v", err, l.faults)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The JSON form must load too, because JSON is YAML.
func TestJSONReadsBack(t *testing.T) {
	want := Defaults()
	want.Store.Redis.ReplicaAcks = "2"
	got, _, err := Load(LoadOptions{File: written(t, string(want.JSON()))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var top map[string]any
	if err := json.Unmarshal(want.JSON(), &top); err != nil || top["token"].(map[string]any)["ttl"] != "1h" {
		t.Errorf("token: %v, %v", top["token"], err)
	}
}

func TestPrintingTheZeroConfig(t *testing.T) {
	if text := (Config{}).YAML(); !strings.Contains(text, "trusted_proxies: []\n") {
		t.Error(text)
	}
	if text := string(Config{}.JSON()); strings.Contains(text, "null") {
		t.Error(text)
	}
}

func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "grantd.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
