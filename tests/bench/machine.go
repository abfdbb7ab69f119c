package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// machine describes the machine and the programs of a run.
type machine struct {
	Date   string `json:"date"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Wrk    string `json:"wrk"`
	Redis  string `json:"redis"`
	Grantd string `json:"grantd"` // the commit
}

func describeMachine(ctx context.Context, grantd string) (machine, error) {
	m := machine{
		Date: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Wrk:   version(ctx, `wrk \S*?([0-9][0-9.]*)`, "wrk", "-v"),
		Redis: version(ctx, `v=([0-9.]+)`, "redis-server", "--version"),
	}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, err
	}
	m.CPU = parseCPU(string(cpu))
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.Kernel = strings.TrimSpace(string(kernel))
	out, err := exec.CommandContext(ctx, grantd, "version", "--output", "json").Output()
	if err != nil {
		return m, fmt.Errorf("%s version: %w", grantd, err)
	}
	if m.Grantd, err = parseVersion(out); m.Grantd == "" {
		m.Grantd = checkout(ctx)
	}
	return m, err
}

// checkout returns the commit of this checkout, for a grantd that was built
// without it (GOFLAGS=-buildvcs=false). Changes in this folder do not count,
// because they do not change grantd.
func checkout(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--", ":/", ":(top,exclude)tests/bench").Output()
	if err != nil || len(changes) > 0 {
		return oneLine(head) + " (modified)"
	}
	return oneLine(head)
}

// version returns what the pattern finds in the output of a program. It ignores
// the exit code, because wrk -v returns 1.
func version(ctx context.Context, pattern, program string, arg string) string {
	out, _ := exec.CommandContext(ctx, program, arg).CombinedOutput()
	if found := regexp.MustCompile(pattern).FindSubmatch(out); found != nil {
		return string(found[1])
	}
	return "unknown"
}

// parseCPU returns the first model name of /proc/cpuinfo.
func parseCPU(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// parseVersion returns the commit from the output of `grantd version --output
// json`, or "" if there is none.
func parseVersion(out []byte) (string, error) {
	var v struct {
		Commit   string
		Modified bool
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return "", fmt.Errorf("grantd version: %w", err)
	}
	if v.Commit == "" {
		return "", nil
	}
	commit := v.Commit[:min(len(v.Commit), 12)]
	if v.Modified {
		commit += " (modified)"
	}
	return commit, nil
}
