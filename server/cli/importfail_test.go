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

const unavailable = `{"error":"temporarily_unavailable","error_description":"the store does not respond"}`

const continueHint = "run the same command again to continue: customers already written will be unchanged\n"

// TestImportWaits: a short outage of the server delays an import, but does not
// end it.
func TestImportWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		reply reply
		says  string
	}{
		"no reply":      {reply{status: dead}, "no response from SOCKET: unexpected EOF"},
		"store away":    {reply{503, unavailable}, "the store does not respond"},
		"proxy's":       {reply{502, "oops"}, "SOCKET returned status 502 without a grantd error"},
		"proxy's other": {reply{504, "oops"}, "SOCKET returned status 504 without a grantd error"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeImport(t)
				f.before = func(n int) reply {
					if n == 2 || n == 3 || n == 6 {
						return tc.reply
					}
					return reply{}
				}
				f.direct(t.Context(), textSource(customerLines(150)), false).is(t, result{
					out: "150 customers: 150 created, 0 updated, 0 unchanged\n",
					err: "grantd: " + tc.says + "; trying again in 500ms\ngrantd: " + tc.says + "; trying again in 1s\ngrantd: " + tc.says + "; trying again in 500ms\n",
				})
				f.called(t, "check 100", "check 50", "check 50", "check 50", "write 100", "write 50", "write 50")
			})
		})
	}
}

// TestImportStopsAndGoesOn: a long outage ends an import; the same command
// continues it.
func TestImportStopsAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeImport(t)
		f.before = func(n int) reply {
			if n >= 5 { // the second write
				return reply{503, unavailable}
			}
			return reply{}
		}
		from, start := textSource(customerLines(250)), time.Now()
		var waits strings.Builder
		for _, wait := range []string{"500ms", "1s", "2s", "4s", "8s"} {
			waits.WriteString("grantd: the store does not respond; trying again in " + wait + "\n")
		}
		f.direct(t.Context(), from, false).is(t, result{code: exitFailed, err: waits.String() +
			"grantd: stopped after writing 100 of 250 customers (100 created, 0 updated, 0 unchanged); " + continueHint + "grantd: the store does not respond\n"})
		if took := time.Since(start); took != 15500*time.Millisecond {
			t.Errorf("gave up after %s", took)
		}
		f.before = func(int) reply { return reply{} }
		f.direct(t.Context(), from, false).is(t, result{out: "250 customers: 150 created, 0 updated, 100 unchanged\n"})
	})
}

// TestImportSaysOnTerminal: a message does not overlap the line of progress.
func TestImportSaysOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeImport(t)
		f.before = func(n int) reply {
			if n == 2 {
				return reply{503, unavailable}
			}
			return reply{}
		}
		got := f.direct(t.Context(), textSource(customerLines(101)), true)
		want := "\r100 customers checked\r                     \rgrantd: the store does not respond; trying again in 500ms\n"
		if got.code != exitDone || !strings.HasPrefix(got.err, want) {
			t.Errorf("%+v", got)
		}
	})
}

// TestImportGivesUpAtOnce: an error that will not go away is not retried, nor is
// a server that was never reached.
func TestImportGivesUpAtOnce(t *testing.T) {
	const nothing = "grantd: nothing was written\n"
	for name, tc := range map[string]struct {
		call  int
		reply reply
		says  string
	}{
		"never there":       {1, reply{status: dead}, nothing + "grantd: no response from SOCKET: EOF\n"},
		"first 503":         {1, reply{503, unavailable}, nothing + "grantd: the store does not respond\n"},
		"whole call":        {2, reply{403, `{"error":"insufficient_scope","error_description":"lacks the scope"}`}, nothing + "grantd: lacks the scope\n"},
		"fault of server":   {2, reply{500, `{"error":"server_error"}`}, nothing + "grantd: server_error\n"},
		"too few results":   {2, reply{200, `{"results":[]}`}, nothing + "grantd: the server returned 0 results for 50 customers\n"},
		"unknown result":    {2, reply{200, `{"results":[` + strings.Repeat(`{"result":"created"},`, 49) + `{"result":"frobbed"}]}`}, nothing + "grantd: the server returned a result that this grantd does not know (is one of the two an older version?)\n"},
		"no JSON":           {2, reply{200, `oops`}, nothing + "grantd: cannot read the response of the server (is one of the two an older version?): invalid character 'o' looking for beginning of value\n"},
		"refused in a word": {2, reply{200, `{"results":[` + strings.Repeat(`{"result":"created"},`, 49) + `{"result":"refused"}]}`}, "grantd: f:150: was refused\ngrantd: 1 line is wrong; nothing was written\n"},
		"while writing": {4, reply{500, `{"error":"server_error"}`},
			"grantd: stopped after writing 100 of 150 customers (100 created, 0 updated, 0 unchanged); " + continueHint + "grantd: server_error\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeImport(t)
			f.before = func(n int) reply {
				if n == tc.call {
					return tc.reply
				}
				return reply{}
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
		"at once":        {0, "grantd: nothing was written\n"},
		"while checking": {2, "grantd: nothing was written\n"},
		"while writing":  {4, "grantd: stopped after writing 100 of 150 customers (100 created, 0 updated, 0 unchanged); " + continueHint},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			f := newFakeImport(t)
			f.before = func(n int) reply {
				if n == tc.call {
					cancel()
				}
				return reply{}
			}
			if tc.call == 0 {
				cancel()
			}
			f.direct(ctx, textSource(customerLines(150)), false).is(t, result{code: exitFailed, err: tc.says + "grantd: interrupted\n"})
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
			f.before = func(n int) reply {
				if n > 1 {
					return reply{503, unavailable}
				}
				return reply{}
			}
			got := f.direct(ctx, textSource(customerLines(150)), false)
			if got.code != exitFailed || !strings.HasSuffix(got.err, "trying again in 2s\ngrantd: nothing was written\ngrantd: interrupted\n") {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("while reading", func(t *testing.T) {
		endless, w := io.Pipe()
		defer w.Close()
		var out, errs strings.Builder
		code := Run(canceledContext(t), []string{"customer", "import", "-", "--socket", "x"}, Streams{In: endless, Out: &out, Err: &errs})
		(result{code, out.String(), errs.String()}).is(t, result{exitFailed, "", "grantd: interrupted\n"})
	})
}

// TestImportOfChangingFile: if the file changes after the check, only the lines
// that are now wrong are lost.
func TestImportOfChangingFile(t *testing.T) {
	f := newFakeImport(t)
	importFile(t, customerLines(150))
	f.before = func(n int) reply {
		if n == 2 { // the last check
			lines := strings.Split(customerLines(150), "\n")
			lines[4], lines[140] = `{"customer_id":"c4","org_id":"o","type":"individual","phone":"5555550136"}`, "{"
			rewrite(t, "f", strings.Join(slices.Delete(lines, 10, 11), "\n"))
		}
		return reply{}
	}
	const refused = "grantd: f:5: must be a telephone number (phone)\ngrantd: f:140: must be one JSON object on one line: unexpected end of JSON input\n" +
		"grantd: 2 lines are wrong, although the check accepted them, and the others were written: the file or the server changed in between\n"
	f.run(t, "", "f").is(t, result{code: exitFailed, out: "149 customers: 147 created, 0 updated, 0 unchanged, 2 refused\n", err: refused})
	if len(f.stored) != 147 {
		t.Errorf("%d are stored", len(f.stored))
	}
	rewrite(t, "f", customerLines(150))
	const refusedJSON = `{"error":"wrong_lines","message":"2 lines are wrong, although the check accepted them, and the others were written: the file or the server changed in between",` +
		`"problems":[{"line":5,"message":"must be a telephone number (phone)"},{"line":140,"message":"must be one JSON object on one line: unexpected end of JSON input"}],"exit_code":1}` + "\n"
	got := f.run(t, "", "f", "--output", "json")
	got.is(t, result{code: exitFailed, out: "{\n  \"created\": 0,\n  \"updated\": 0,\n  \"unchanged\": 147,\n  \"refused\": 2\n}\n", err: refusedJSON})

	rewrite(t, "f", customerLines(150))
	f.before = func(n int) reply {
		if n == 2 {
			os.Remove("f")
		}
		return reply{}
	}
	f.run(t, "", "f").is(t, result{code: exitFailed,
		err: "grantd: stopped after writing 0 of 150 customers (0 created, 0 updated, 0 unchanged); " + continueHint + "grantd: open f: no such file or directory\n"})
}

// TestIdempotentLostResponse: after an idempotent call there is nothing to
// check.
func TestIdempotentLostResponse(t *testing.T) {
	for idempotent, unsure := range map[bool]bool{true: false, false: true} {
		err := socketAPI("/x.sock").unreachable(call{method: http.MethodPost, idempotent: idempotent}, io.ErrUnexpectedEOF)
		if got := strings.Contains(err.Error(), "check before you try again"); got != unsure {
			t.Errorf("idempotent %v: %v", idempotent, err)
		}
	}
}
