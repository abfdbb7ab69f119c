package main

import (
	"os"
	"testing"
	"time"
)

func TestParseSchedstat(t *testing.T) {
	if got, err := parseSchedstat("1066686263 406220 112\n"); err != nil || got != 1066686263*time.Nanosecond {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "1 2", "x 2 3"} {
		if _, err := parseSchedstat(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseResident(t *testing.T) {
	const status = "Name:\tgrantd\nVmHWM:\t   40000 kB\nVmRSS:\t   34816 kB\nRssAnon:\t   20000 kB\n"
	if got, err := parseResident(status); err != nil || got != 34<<20 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "VmRSS:\t much kB\n"} {
		if _, err := parseResident(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	if used, err := cpuTime(os.Getpid()); err != nil || used <= 0 {
		t.Errorf("processor time: %v, %v", used, err)
	}
	if held, err := resident(os.Getpid()); err != nil || held < 1<<20 {
		t.Errorf("resident: %v, %v", held, err)
	}
}
