package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// startTime limits how long a process may take until it is ready.
	startTime = 90 * time.Second
	// stopTime limits how long a process may take to end before it is killed.
	stopTime = 10 * time.Second
)

// process is a program that this run starts and ends.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string      // file with its standard error
	ready  chan string // its ready line; closed when its output ends
	ended  chan struct{}
	failed error // how it ended; set when ended is closed
}

// start starts a program that prints a line starting with "ready " once it is
// ready. ctx or endAll ends it. Its standard error goes to a file, as with a
// service manager.
func (l *lab) start(ctx context.Context, name, path string, args ...string) (*process, error) {
	p := &process{
		name: name, log: filepath.Join(l.dir, name+".log"),
		ready: make(chan string, 1), ended: make(chan struct{}),
	}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(ctx, path, args...)
	p.cmd.Stderr = log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopTime
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	l.running = append(l.running, p)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				select {
				case p.ready <- lines.Text():
				default:
				}
			}
		}
		close(p.ready)
		p.failed = p.cmd.Wait()
	}()
	return p, nil
}

// waitReady returns the ready line.
func (p *process) waitReady(ctx context.Context) (string, error) {
	select {
	case line, ok := <-p.ready:
		if ok {
			return line, nil
		}
		<-p.ended
		return "", fmt.Errorf("%s ended before it was ready: %w\n%s", p.name, p.end(), p.tail())
	case <-time.After(startTime):
		return "", fmt.Errorf("%s is not ready after %v\n%s", p.name, startTime, p.tail())
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// end returns how the process ended, after it did.
func (p *process) end() error {
	if p.failed == nil {
		return errors.New("with code 0")
	}
	return p.failed
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// alive returns an error if the process has ended.
func (p *process) alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended: %w\n%s", p.name, p.end(), p.tail())
	default:
		return nil
	}
}

// stop ends the process and waits until it has ended.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-p.ended:
	case <-time.After(stopTime):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// tail returns the end of its standard error.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(b[max(0, len(b)-2000):]), "")
}
