package cli

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestImport(t *testing.T) {
	f := newFakeImport(t)
	importFile(t, customerLines(250))
	f.run(t, "", "f").is(t, result{out: "250 customers: 250 created, 0 updated, 0 unchanged\n"})
	f.called(t, "check 100", "check 100", "check 50", "write 100", "write 100", "write 50")
	f.run(t, "", "f").is(t, result{out: "250 customers: 0 created, 0 updated, 250 unchanged\n"})

	rewrite(t, "f", strings.Replace(customerLines(251), "individual", "business", 1))
	f.run(t, "", "f", "--output", "json").is(t, result{out: "{\n  \"created\": 1,\n  \"updated\": 1,\n  \"unchanged\": 249,\n  \"refused\": 0\n}\n"})
	rewrite(t, "f", customerLines(1))
	f.run(t, "", "f").is(t, result{out: "1 customer: 0 created, 1 updated, 0 unchanged\n"})
}

// TestImportDryRun: only the check is made.
func TestImportDryRun(t *testing.T) {
	f := newFakeImport(t)
	importFile(t, customerLines(101))
	f.run(t, "", "f", "--dry-run").is(t, result{out: "dry run, nothing was written: 101 customers: 101 created, 0 updated, 0 unchanged\n"})
	f.called(t, "check 100", "check 1")
	f.run(t, "", "f", "--dry-run", "--output", "json").is(t, result{out: "{\n  \"created\": 101,\n  \"updated\": 0,\n  \"unchanged\": 0,\n  \"refused\": 0,\n  \"dry_run\": true\n}\n"})
	rewrite(t, "f", customerLines(1)+"{}\n")
	f.run(t, "", "f", "--dry-run").is(t, result{code: exitFailed, err: "grantd: f:2: is missing (customer_id)\ngrantd: 1 line is wrong; nothing was written\n"})
	f.run(t, "", "f", "--dry-run", "--output", "json").is(t, result{code: exitFailed,
		err: `{"error":"wrong_lines","message":"1 line is wrong; nothing was written","problems":[{"line":2,"message":"is missing (customer_id)"}],"exit_code":1}` + "\n"})
	if len(f.stored) > 0 {
		t.Errorf("stored %v", f.stored)
	}
}

// TestNoteOnce: a note in JSON is not called a note twice.
func TestNoteOnce(t *testing.T) {
	var errs strings.Builder
	(&app{err: &errs, output: outputJSON}).say("note: %s:1: a", "f")
	if errs.String() != `{"note":"f:1: a"}`+"\n" {
		t.Error(errs.String())
	}
}

// TestImportStream: input that can be read only once is read once.
func TestImportStream(t *testing.T) {
	f := newFakeImport(t)
	f.run(t, customerLines(101), "-").is(t, result{out: "101 customers: 101 created, 0 updated, 0 unchanged\n"})
	f.called(t, "check 100", "check 1", "write 100", "write 1")
	f.run(t, "x\n", "-").is(t, result{code: exitFailed,
		err: "grantd: standard input:1: must be one JSON object on one line: invalid character 'x' looking for beginning of value\ngrantd: 1 line is wrong; nothing was written\n"})

	t.Chdir(shortDir(t))
	if err := syscall.Mkfifo("f", 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile("f", []byte(customerLines(101)), 0) }()
	f.run(t, "", "f").is(t, result{out: "101 customers: 0 created, 0 updated, 101 unchanged\n"})
}

// zeros is an endless input.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestImportStreamTooLarge(t *testing.T) {
	if _, err := readAll(t.Context(), zeros{}, 1000); !errors.Is(err, errTooMuch) {
		t.Errorf("got %v", err)
	}
	if b, err := readAll(t.Context(), io.LimitReader(zeros{}, 1000), 1000); len(b) != 1000 || err != nil {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}

func TestImportOfNothing(t *testing.T) {
	f := newFakeImport(t)
	importFile(t, "\ufeff\n \r\n")
	f.run(t, "", "f").is(t, result{code: exitFailed, err: "grantd: f contains no customers\n"})
	f.run(t, "", "-").is(t, result{code: exitFailed, err: "grantd: standard input contains no customers\n"})
	f.run(t, "", "g").is(t, result{code: exitUsage, err: "grantd: FILE: the file g does not exist\n"})
	f.called(t)
}
