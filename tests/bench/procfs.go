package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime returns the CPU time of a process in nanoseconds: the sum over its
// threads. It misses threads that ended; the measured programs keep theirs.
func cpuTime(pid int) (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		ran, err := parseSchedstat(string(b))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += ran
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has no schedstat", pid)
	}
	return sum, nil
}

// parseSchedstat returns the first of three numbers: nanoseconds on a CPU.
func parseSchedstat(s string) (time.Duration, error) {
	fields := strings.Fields(s)
	if len(fields) != 3 {
		return 0, fmt.Errorf("schedstat is %q", s)
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	return time.Duration(n), err
}

// resident returns the resident memory of a process in bytes.
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseResident(string(b))
}

// parseResident reads the line "VmRSS:   12345 kB".
func parseResident(status string) (int64, error) {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		return kib << 10, err
	}
	return 0, errors.New("no VmRSS")
}
