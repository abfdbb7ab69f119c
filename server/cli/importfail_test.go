package cli

import (
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const unavailable = `{"error":"temporarily_unavailable","error_description":"the store does not answer"}`

const goOn = "run the same command again to go on: what is done is unchanged then\n"

// A server that is away for a moment holds an import up, and does not end it.
func TestImportWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		answer answer
		says   string
	}{
		"no answer":     {answer{status: dead}, "no answer from SOCKET: unexpected EOF"},
		"store away":    {answer{503, unavailable}, "the store does not answer"},
		"proxy's":       {answer{502, "oops"}, "SOCKET answers 502 and not in the way of grantd: is it the admin socket of a grantd?"},
		"proxy's other": {answer{504, "oops"}, "SOCKET answers 504 and not in the way of grantd: is it the admin socket of a grantd?"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeImport(t)
				f.before = func(n int) answer {
					if n == 2 || n == 3 || n == 6 {
						return tc.answer
					}
					return answer{}
				}
				f.direct(t.Context(), inMemory(customerLines(150)), false).is(t, result{
					out: "150 customers: 150 created, 0 updated, 0 unchanged\n",
					err: "grantd: " + tc.says + "; trying again in 500ms\ngrantd: " + tc.says + "; trying again in 1s\ngrantd: " + tc.says + "; trying again in 500ms\n",
				})
				f.called(t, "check 100", "check 50", "check 50", "check 50", "write 100", "write 50", "write 50")
			})
		})
	}
}

// A server that stays away ends it; the same command goes on.
func TestImportStopsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeImport(t)
		f.before = func(n int) answer {
			if n >= 5 { // the second write
				return answer{503, unavailable}
			}
			return answer{}
		}
		from, start := inMemory(customerLines(250)), time.Now()
		var waits strings.Builder
		for _, wait := range []string{"500ms", "1s", "2s", "4s", "8s"} {
			waits.WriteString("grantd: the store does not answer; trying again in " + wait + "\n")
		}
		f.direct(t.Context(), from, false).is(t, result{code: exitFailed, err: waits.String() +
			"grantd: stopped with 100 of 250 customers written (100 created, 0 updated, 0 unchanged); " + goOn + "grantd: the store does not answer\n"})
		if took := time.Since(start); took != 15500*time.Millisecond {
			t.Errorf("gave up after %s", took)
		}
		f.before = func(int) answer { return answer{} }
		f.direct(t.Context(), from, false).is(t, result{out: "250 customers: 150 created, 0 updated, 100 unchanged\n"})
	})
}

// On a terminal what is said does not run into the line of the progress.
func TestImportSaysOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeImport(t)
		f.before = func(n int) answer {
			if n == 2 {
				return answer{503, unavailable}
			}
			return answer{}
		}
		got := f.direct(t.Context(), inMemory(customerLines(101)), true)
		want := "\r100 customers are checked\r                         \rgrantd: the store does not answer; trying again in 500ms\n"
		if got.code != exitDone || !strings.HasPrefix(got.err, want) {
			t.Errorf("%+v", got)
		}
	})
}

// What will not pass by itself is said at once: so is a server that was never
// there.
func TestImportGivesUpAtOnce(t *testing.T) {
	const nothing = "grantd: nothing is written\n"
	for name, tc := range map[string]struct {
		call   int
		answer answer
		says   string
	}{
		"never there":       {1, answer{status: dead}, nothing + "grantd: no answer from SOCKET: EOF\n"},
		"first 503":         {1, answer{503, unavailable}, nothing + "grantd: the store does not answer\n"},
		"whole call":        {2, answer{403, `{"error":"insufficient_scope","error_description":"lacks the scope"}`}, nothing + "grantd: lacks the scope\n"},
		"fault of server":   {2, answer{500, `{"error":"server_error"}`}, nothing + "grantd: server_error\n"},
		"too few results":   {2, answer{200, `{"results":[]}`}, nothing + "grantd: the server answered 0 results for 50 customers\n"},
		"unknown result":    {2, answer{200, `{"results":[` + strings.Repeat(`{"result":"created"},`, 49) + `{"result":"frobbed"}]}`}, nothing + "grantd: the server's answer has a result that this grantd does not know (is one of the two older?)\n"},
		"no JSON":           {2, answer{200, `oops`}, nothing + "grantd: the server's answer is not what this grantd knows (is one of the two older?): invalid character 'o' looking for beginning of value\n"},
		"refused in a word": {2, answer{200, `{"results":[` + strings.Repeat(`{"result":"created"},`, 49) + `{"result":"refused"}]}`}, "grantd: f:150: is refused\ngrantd: 1 line is wrong: nothing is written\n"},
		"while writing": {4, answer{500, `{"error":"server_error"}`},
			"grantd: stopped with 100 of 150 customers written (100 created, 0 updated, 0 unchanged); " + goOn + "grantd: server_error\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeImport(t)
			f.before = func(n int) answer {
				if n == tc.call {
					return tc.answer
				}
				return answer{}
			}
			importFile(t, customerLines(150))
			f.run(t, "", "f").is(t, result{code: exitFailed, err: tc.says})
			if made := f.made(); len(made) != tc.call {
				t.Errorf("calls %q", made)
			}
		})
	}
}

func TestImportInterrupted(t *testing.T) {
	for name, tc := range map[string]struct {
		call int
		says string
	}{
		"at once":        {0, "grantd: nothing is written\n"},
		"while checking": {2, "grantd: nothing is written\n"},
		"while writing":  {4, "grantd: stopped with 100 of 150 customers written (100 created, 0 updated, 0 unchanged); " + goOn},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			f := newFakeImport(t)
			f.before = func(n int) answer {
				if n == tc.call {
					cancel()
				}
				return answer{}
			}
			if tc.call == 0 {
				cancel()
			}
			f.direct(ctx, inMemory(customerLines(150)), false).is(t, result{code: exitFailed, err: tc.says + "grantd: interrupted\n"})
			if made := f.made(); len(made) != tc.call {
				t.Errorf("calls %q", made)
			}
		})
	}
	t.Run("while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			f := newFakeImport(t)
			f.before = func(n int) answer {
				if n > 1 {
					return answer{503, unavailable}
				}
				return answer{}
			}
			got := f.direct(ctx, inMemory(customerLines(150)), false)
			if got.code != exitFailed || !strings.HasSuffix(got.err, "trying again in 2s\ngrantd: nothing is written\ngrantd: interrupted\n") {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("while reading", func(t *testing.T) {
		endless, w := io.Pipe()
		defer w.Close()
		var out, errs strings.Builder
		code := Run(cancelled(t), []string{"customer", "import", "-", "--socket", "x"}, Streams{In: endless, Out: &out, Err: &errs})
		(result{code, out.String(), errs.String()}).is(t, result{exitFailed, "", "grantd: interrupted\n"})
	})
}

// A file that changes while it is imported spoils only the lines that are bad.
func TestImportOfChangingFile(t *testing.T) {
	f := newFakeImport(t)
	importFile(t, customerLines(150))
	f.before = func(n int) answer {
		if n == 2 { // the last check
			lines := strings.Split(customerLines(150), "\n")
			lines[4], lines[140] = `{"customer_id":"c4","org_id":"o","type":"individual","phone":"5555550136"}`, "{"
			rewrite(t, "f", strings.Join(slices.Delete(lines, 10, 11), "\n"))
		}
		return answer{}
	}
	const refused = "grantd: f:5: must be a telephone number (phone)\ngrantd: f:140: must be one JSON object on one line: unexpected end of JSON input\n" +
		"grantd: 2 lines are wrong that the check had passed, and the others are written: the file or the server has changed in between\n"
	f.run(t, "", "f").is(t, result{code: exitFailed, out: "149 customers: 147 created, 0 updated, 0 unchanged, 2 refused\n", err: refused})
	if len(f.kept) != 147 {
		t.Errorf("%d are kept", len(f.kept))
	}
	rewrite(t, "f", customerLines(150))
	got := f.run(t, "", "f", "--output", "json")
	got.is(t, result{code: exitFailed, out: "{\n  \"created\": 0,\n  \"updated\": 0,\n  \"unchanged\": 147,\n  \"refused\": 2\n}\n", err: refused})

	rewrite(t, "f", customerLines(150))
	f.before = func(n int) answer {
		if n == 2 {
			os.Remove("f")
		}
		return answer{}
	}
	f.run(t, "", "f").is(t, result{code: exitFailed,
		err: "grantd: stopped with 0 of 150 customers written (0 created, 0 updated, 0 unchanged); " + goOn + "grantd: open f: no such file or directory\n"})
}

// A call that may be made again does not ask to look before.
func TestImportAgainAfterLostAnswer(t *testing.T) {
	for again, unsure := range map[bool]bool{true: false, false: true} {
		err := socketAPI("/x.sock").unreached(call{method: http.MethodPost, again: again}, io.ErrUnexpectedEOF)
		if got := strings.Contains(err.Error(), "look before you try again"); got != unsure {
			t.Errorf("again %v: %v", again, err)
		}
	}
}
