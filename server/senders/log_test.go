package senders

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestLogShowsCodesOnTheTerminalOnly(t *testing.T) {
	var terminal, log bytes.Buffer
	l := NewLog(&terminal, slog.New(slog.NewJSONHandler(&log, nil)))
	if err := l.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if got, want := terminal.String(), "verification code 048213 for +*******0136 (sms, customer 10001 of org h5D8B5gyHtk=)\n"; got != want {
		t.Errorf("terminal %q, want %q", got, want)
	}
	if log.Len() > 0 {
		t.Errorf("the log has %s", log.String())
	}
}

func TestLogWithoutTerminalTellsWhatToDo(t *testing.T) {
	var log bytes.Buffer
	l := NewLog(nil, slog.New(slog.NewJSONHandler(&log, nil)))
	for range 2 {
		if err := l.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
	}
	logged := log.String()
	if strings.Count(logged, "\n") != 2 || strings.Count(logged, `"level":"WARN"`) != 2 || !strings.Contains(logged, "customers.sandbox_code") {
		t.Errorf("the log has %s; want a warning for each of two messages", logged)
	}
	for _, secret := range []string{"048213", "0136", "5555"} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %s: %s", secret, logged)
		}
	}
}

type broken struct{}

func (broken) Write(p []byte) (int, error) { return 0, errors.New("cannot write " + string(p)) }

func TestLogThatCannotWrite(t *testing.T) {
	notSentWithout(t, NewLog(broken{}, slog.New(slog.DiscardHandler)).Send(t.Context(), message()), "terminal")
}

func TestLogLinesDoNotMix(t *testing.T) {
	var terminal bytes.Buffer // the race detector reports two writers
	l := NewLog(&terminal, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _ = l.Send(t.Context(), message()) })
	}
	all.Wait()
	if n := strings.Count(terminal.String(), "of org h5D8B5gyHtk=)\n"); n != 20 {
		t.Errorf("%d whole lines of 20", n)
	}
}
