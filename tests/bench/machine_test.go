package main

import "testing"

func TestParseCPU(t *testing.T) {
	if got := parseCPU("processor\t: 0\nmodel name\t: Fast: One\n\nprocessor\t: 1\nmodel name\t: Other\n"); got != "Fast: One" {
		t.Errorf("%q", got)
	}
	if got := parseCPU("processor\t: 0\n"); got != "unknown" {
		t.Errorf("%q", got)
	}
}

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]string{
		`{"version":"dev","commit":"","modified":false}`:                                         "",
		`{"version":"dev","commit":"0123456789abcdef0123456789abcdef01234567","modified":true}`:  "0123456789ab (modified)",
		`{"version":"dev","commit":"0123456789abcdef0123456789abcdef01234567","modified":false}`: "0123456789ab",
	} {
		if got, err := parseVersion([]byte(in)); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	if _, err := parseVersion([]byte("grantd")); err == nil {
		t.Error("no JSON is taken")
	}
}

func TestVersionOfNoProgram(t *testing.T) {
	if got := version(t.Context(), `(x)`, "/no/such/program", "-v"); got != "unknown" {
		t.Errorf("%q", got)
	}
}
