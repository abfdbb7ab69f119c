package crash_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/tests/poll"
)

// fullFolder makes the process a child that fills its disk.
const fullFolder = "GRANTD_CRASH_FULL_FOLDER"

// TestReadyOnceTheDiskHasRoom fills the disk of a child process, by the greatest size
// that its files may have, and then makes room. Ping succeeds within two seconds.
func TestReadyOnceTheDiskHasRoom(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), fullFolder+"="+t.TempDir())
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// fillAndMakeRoom is the child.
func fillAndMakeRoom(folder string) error {
	signal.Ignore(syscall.SIGXFSZ) // a write beyond the size fails
	s, err := embedded.Open(embedded.Options{Path: folder})
	if err != nil {
		return err
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &files); err != nil {
		return err
	}
	set := func(most uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: files.Max})
	}
	if err := set(64 << 10); err != nil {
		return err
	}
	ctx := context.Background()
	for n, begun := 0, time.Now(); ; n++ {
		c := store.Client{ID: strconv.Itoa(n), Name: strings.Repeat("x", 4000)}
		if err = s.Clients().Create(ctx, c); err != nil || time.Since(begun) > poll.Patience {
			break
		}
	}
	if store.CauseOf(err) != store.CauseDiskFull || !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("writing to a full disk: %w", err)
	}
	for begun := time.Now(); time.Since(begun) < 1500*time.Millisecond; time.Sleep(100 * time.Millisecond) {
		if got := store.CauseOf(s.Ping(ctx)); got != store.CauseDiskFull {
			return fmt.Errorf("cause %q of the ping of a full disk", got)
		}
	}
	if err := set(files.Cur); err != nil {
		return err
	}
	begun := time.Now()
	if last := poll.LastReason(2*time.Second, func() string {
		if err := s.Ping(ctx); err != nil {
			return err.Error()
		}
		return ""
	}); last != "" {
		return fmt.Errorf("with room again, not within 2 s: %s", last)
	}
	fmt.Println("writable", time.Since(begun).Round(time.Millisecond), "after there was room")
	return s.Close()
}
