package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const hush = "hush-hush"

func TestSecretIsNeverPrinted(t *testing.T) {
	type holder struct {
		Open   Secret
		hidden Secret // fmt prints unexported fields without their methods
	}
	s := NewSecret(hush)
	h := holder{Open: s, hidden: s}
	printed := map[string]string{}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d", "%p", "%t"} {
		printed["Secret "+verb] = fmt.Sprintf(verb, s)
		printed["*Secret "+verb] = fmt.Sprintf(verb, &s)
		printed["struct "+verb] = fmt.Sprintf(verb, h)
	}
	printed["JSON"] = must(t)(json.Marshal(h))
	printed["JSON map key"] = must(t)(json.Marshal(map[Secret]int{s: 1}))
	printed["YAML"] = must(t)(yaml.Marshal(h.Open))
	printed["error"] = fmt.Errorf("refused %w: %v", errors.New("x"), s).Error()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", h)
	printed["slog"] = log.String()

	for how, text := range printed {
		if strings.Contains(text, hush) || strings.Contains(text, fmt.Sprintf("%x", hush)) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
	if s.String() != redacted || s.Reveal() != hush || (Secret{}).Reveal() != "" {
		t.Errorf("String %q, Reveal %q, zero %q", s.String(), s.Reveal(), Secret{}.Reveal())
	}
}

func must(t *testing.T) func([]byte, error) string {
	t.Helper()
	return func(text []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestReadSecretFile(t *testing.T) {
	tests := []struct{ rule, contents, want, fault string }{
		{"unchanged", "s3cret", "s3cret", ""},
		{"one newline goes", "s3cret\n", "s3cret", ""},
		{"one Windows newline goes", "s3cret\r\n", "s3cret", ""},
		{"only one newline goes", "s3cret\n\n", "s3cret\n", ""},
		{"spaces stay", " s3cret ", " s3cret ", ""},
		{"at most 64 KiB", strings.Repeat("x", maxSecretBytes), strings.Repeat("x", maxSecretBytes), ""},
		{"more than 64 KiB", strings.Repeat("x", maxSecretBytes+1), "", "is larger than 64 KiB"},
		{"empty", "", "", "is empty"},
		{"a newline only", "\n", "", "is empty"},
		{"spaces only", " \n\n", "", "is empty"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(name, []byte(test.contents), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSecretFile(name)
			if test.fault == "" && err != nil || test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
				t.Fatalf("error %v, want %q", err, test.fault)
			}
			if got.Reveal() != test.want {
				t.Errorf("got %d bytes, want %d", len(got.Reveal()), len(test.want))
			}
		})
	}
	if _, err := ReadSecretFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: error %v", err)
	}
	if _, err := ReadSecretFile(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}
