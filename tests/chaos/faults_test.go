//go:build chaos

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/program"
)

// fault is what happens to a lab in each of its rounds.
type fault struct {
	name string
	open func(t *testing.T, name string) *lab
	// happen makes it happen while the workers work, and undoes it.
	happen func(t *testing.T, l *lab) damage
}

// damage is what a fault may have taken.
type damage struct {
	// What was acknowledged between them may be lost; zero: nothing.
	since, until time.Time
	unseen       bool // the store came back older while no replica ran
}

// newest is how much a Redis that fsyncs every second, or a failover, may lose.
const newest = 2 * time.Second

var faults = []fault{
	{"a replica is killed", onRedis, killReplica},
	{"Redis is killed", onRedis, killRedis},
	{"connections are cut", onRedis, cut},
	{"Redis is paused", onRedis, pauseRedis},
	{"Redis is rolled back", onRedis, rollBack},
	{"Redis is rolled back unseen", onRedis, rollBackUnseen},
	{"failover", onSentinel, failOver},
	{"grantd is killed", onFile, killReplica},
	{"the file is replaced", onFile, replaceFile},
}

// between returns a random time.
func between(least, most time.Duration) time.Duration {
	return least + rand.N(most-least)
}

func killReplica(t *testing.T, l *lab) damage {
	r := l.any()
	r.kill()
	time.Sleep(between(0, time.Second)) // simulates the outage
	r.start(t)
	return damage{}
}

func killRedis(_ *testing.T, l *lab) damage {
	l.redis.Kill()
	since := time.Now().Add(-newest)
	time.Sleep(between(0, 1500*time.Millisecond)) // simulates the outage
	l.redis.Restart()
	return damage{since: since, until: time.Now()}
}

// cut breaks the connections of one replica or of both.
func cut(_ *testing.T, l *lab) damage {
	modes := []harness.Mode{harness.Refusing, harness.Hanging, harness.Resetting, harness.Slow}
	for _, p := range l.proxies {
		if rand.IntN(3) > 0 {
			p.Delay = between(50*time.Millisecond, time.Second)
			p.Set(modes[rand.IntN(len(modes))])
		}
	}
	time.Sleep(between(300*time.Millisecond, 2500*time.Millisecond)) // simulates the outage
	for _, p := range l.proxies {
		p.Set(harness.Passing)
	}
	return damage{}
}

func pauseRedis(_ *testing.T, l *lab) damage {
	l.redis.Pause()
	time.Sleep(between(200*time.Millisecond, 3*time.Second)) // simulates the outage
	l.redis.Resume()
	return damage{}
}

// rollBack puts back a copy of Redis' append-only file that is some seconds old,
// while the replicas run on.
func rollBack(t *testing.T, l *lab) damage {
	since := time.Now().Add(-newest)
	copied := l.copyRedis(t)
	l.awaitWork(time.Second) // that the copy lacks
	l.redis.Kill()
	l.putBack(t, copied)
	l.redis.Restart()
	return damage{since: since, until: time.Now()}
}

// rollBackUnseen does the same while no replica runs.
func rollBackUnseen(t *testing.T, l *lab) damage {
	since := time.Now().Add(-newest)
	copied := l.copyRedis(t)
	l.awaitWork(time.Second) // that the copy lacks
	l.rest()
	for _, r := range l.replicas {
		r.kill()
	}
	l.redis.Kill()
	l.putBack(t, copied)
	l.redis.Restart()
	for _, r := range l.replicas {
		r.start(t)
	}
	return damage{since: since, until: time.Now(), unseen: true}
}

// replaceFile puts back a copy of the embedded store's file, as a restore does.
// What else is in the folder stays: if all of it is replaced by an older copy,
// nothing can tell.
func replaceFile(t *testing.T, l *lab) damage {
	r := l.replicas[0]
	r.kill()
	copied := l.copyDir(t)
	since := time.Now()
	r.start(t)
	l.awaitWork(time.Second) // that the copy lacks
	l.rest()
	r.kill()
	copyAll(t, filepath.Join(copied, "grantd.db"), l.dir)
	r.start(t)
	return damage{since: since, until: time.Now(), unseen: true}
}

// failOver makes the sentinels promote a replica.
func failOver(t *testing.T, l *lab) damage {
	old := l.sentinel.Master()
	if old == nil {
		t.Fatal("the sentinels have no master")
	}
	since := time.Now().Add(-newest)
	if rand.IntN(2) == 0 {
		old.Kill()
	} else {
		old.Pause()
	}
	l.sentinel.AwaitPromotion(t, old)
	l.sentinel.Heal(t)
	return damage{since: since, until: time.Now()}
}

// copyRedis copies the folder of Redis. Everything that was acknowledged before is
// in the copy: with everysec, Redis keeps back what it should write while the disk
// is slow.
func (l *lab) copyRedis(t *testing.T) string {
	t.Helper()
	l.redis.Must(t, "config", "set", "appendfsync", "always")
	l.redis.Must(t, "ping") // what came before is written by now
	defer l.redis.Must(t, "config", "set", "appendfsync", "everysec")
	return l.copyDir(t)
}

// copyDir copies the folder of the store.
func (l *lab) copyDir(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	copyAll(t, l.dir, to)
	return to
}

// putBack makes the folder of the store what the copy is.
func (l *lab) putBack(t *testing.T, copied string) {
	t.Helper()
	list, err := os.ReadDir(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(l.dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	copyAll(t, copied+"/.", l.dir)
}

// copyAll copies with modes, which os.CopyFS does not.
func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// release runs the command with which an operator lifts what is held back.
func (l *lab) release(t *testing.T) error {
	t.Helper()
	out, err := exec.Command(program.Path(t), "store", "doctor", "--release", "all", "--config", l.replicas[0].config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("grantd store doctor --release all: %w: %.300s", err, out)
	}
	return nil
}
