package importer

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/imports"
)

// TestForms: what a line becomes in the request, in every form that a file
// may have.
func TestForms(t *testing.T) {
	const full = `{"language":"es","authorized_users":[{"phone":"+15555550199","name":"Juan P\u00e9rez"}],"phone":"+15555550136","type":"business","org_id":"h5D8B5gyHtk=","customer_id":"1"}`
	f := newFakeServer()
	f.run(t, "\ufeff"+full+"\r\n\n \t\r\n"+`  {"customer_id":"2","org_id":"o","type":"individual","phone":"+1","language":null,"authorized_users":null}`).
		is(t, outcome{tally: "2 customers: 2 created, 0 updated, 0 unchanged"})
	want := map[string]string{
		"1": `{"org_id":"h5D8B5gyHtk=","type":"business","phone":"+15555550136","authorized_users":[{"name":"Juan Pérez","phone":"+15555550199"}],"language":"es"}`,
		"2": `{"org_id":"o","type":"individual","phone":"+1","authorized_users":[],"language":""}`,
	}
	if diff := cmp.Diff(want, f.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestLongLines: a request is never larger than the server accepts, however
// long the lines are.
func TestLongLines(t *testing.T) {
	f := newFakeServer()
	line := func(id string, size int) string {
		s := `{"customer_id":"` + id + `","org_id":"","type":"t","phone":"+1"}`
		return strings.Replace(s, `"org_id":"`, `"org_id":"`+strings.Repeat("<", size-len(s)), 1) // sent as \u003c
	}
	var text strings.Builder
	for i := range 30 {
		text.WriteString(line(strconv.Itoa(100+i), maxLine) + "\r\n")
	}
	f.run(t, text.String()).is(t, outcome{tally: "30 customers: 30 created, 0 updated, 0 unchanged"})
	f.wasCalled(t, "check 9", "check 9", "check 9", "check 3", "write 9", "write 9", "write 9", "write 3")

	f.run(t, line("a", maxLine)+"\n"+line("b", maxLine+1)+"\n"+line("c", 5*maxLine)+"\n"+line("d", 3*maxLine)).is(t, outcome{
		err:     "3 lines are wrong; nothing was written",
		printed: "f:2: is longer than 16 KiB\nf:3: is longer than 16 KiB\nf:4: is longer than 16 KiB\n",
	})
	f.wasCalled(t, "check 1")
}

// TestBadLines: all wrong lines are reported in their order, also those that
// the server refuses, and nothing is written.
func TestBadLines(t *testing.T) {
	const good = `{"customer_id":"1","org_id":"o","type":"individual","phone":"+15555550136"}`
	bad := []string{
		`{"customer_id":"1","org_id":"o","type":"individual","phone":"+15555550136"`,
		good + ` {}`,
		`[` + good + `]`,
		`null`,
		`"+15555550136"`,
		good[:len(good)-1] + `,"language":"fr` + "\xff" + `"}`,
		good[:len(good)-1] + `,"frob":1}`,
		good[:len(good)-1] + `,"15555550136":"","+1":""}`,
		good[:len(good)-1] + `,"Phone":"+15555550137"}`,
		good[:len(good)-1] + `,"phone":"+15555550137"}`,
		`{"customer_id":"2","org_id":"o","type":"individual","phone":15555550136}`,
		`{"customer_id":2,"org_id":"o","type":"individual","phone":"+15555550136"}`,
		`{"customer_id":"2","org_id":"o","type":["individual"],"phone":"+15555550136"}`,
		`{"customer_id":"2","org_id":"o","type":"individual","phone":null}`,
		`{"org_id":"o","type":"individual","phone":"+15555550136"}`,
		`{"customer_id":"","org_id":"o","type":"individual","phone":"+15555550136"}`,
		`{"customer_id":"2","type":"individual","phone":"+15555550136"}`,
		`{"customer_id":"2","org_id":"o","phone":"+15555550136"}`,
		good[:len(good)-1] + `,"authorized_users":{}}`,
		good[:len(good)-1] + `,"authorized_users":["Jane +15555550199"]}`,
		good[:len(good)-1] + `,"authorized_users":[{"name":"Jane","phone":"+15555550199"},{"name":"Juan"}]}`,
		good[:len(good)-1] + `,"authorized_users":[{"name":"Jane","phone":"+15555550199","mail":""}]}`,
		good[:len(good)-1] + `,"authorized_users":[{"name":"Jane","phone":"+15555550199","phone":"+15555550198"}]}`,
		`{"customer_id":"3","org_id":"o","type":"individual","phone":"5555550136"}`,
		``,
		good,
		good,
	}
	f := newFakeServer()
	got := f.run(t, strings.Join(bad, "\n")+"\n")
	compareGolden(t, "bad-lines.txt", got.printed)
	if got.err != "25 lines are wrong; nothing was written" || got.tally != "" {
		t.Errorf("%+v", got)
	}
	f.wasCalled(t, "check 2")
	if len(f.stored) > 0 {
		t.Errorf("written: %v", f.stored)
	}
}

// TestManyBadLines: only the first ones are reported.
func TestManyBadLines(t *testing.T) {
	for extra, says := range map[int]string{1: "and 1 more line", 20: "and 20 more lines"} {
		f := newFakeServer()
		got := f.run(t, customerLines(150)+strings.Repeat("{}\n", maxFaults+extra))
		lines := strings.Split(got.printed, "\n")
		if got.err != strconv.Itoa(maxFaults+extra)+" lines are wrong; nothing was written" || len(lines) != maxFaults+2 ||
			lines[0] != "f:151: is missing (customer_id)" || lines[maxFaults-1] != "f:250: is missing (customer_id)" || lines[maxFaults] != says {
			t.Errorf("%+v", got)
		}
		f.wasCalled(t, "check 100", "check 50")
	}
}

// TestWrongResults: what the server returns is checked.
func TestWrongResults(t *testing.T) {
	created := slices.Repeat([]imports.Result{{Result: imports.Created}}, 49)
	for name, tc := range map[string]struct {
		results []imports.Result
		want    outcome
	}{
		"too few": {[]imports.Result{}, outcome{err: "the server returned 0 results for 50 customers", printed: "nothing was written\n"}},
		"unknown": {append(slices.Clone(created), imports.Result{Result: "frobbed"}),
			outcome{err: "the server returned a result that this grantd does not know (is one of the two an older version?)", printed: "nothing was written\n"}},
		"refused without a reason": {append(slices.Clone(created), imports.Result{Result: imports.Refused}),
			outcome{err: "1 line is wrong; nothing was written", printed: "f:150: was refused\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer()
			f.before = func(call int) ([]imports.Result, error) {
				if call == 2 {
					return tc.results, nil
				}
				return nil, nil
			}
			f.run(t, customerLines(150)).is(t, tc.want)
			f.wasCalled(t, "check 100", "check 50")
		})
	}
}

// TestStop: an import that stops says what was written, and another run writes
// the rest.
func TestStop(t *testing.T) {
	f := newFakeServer()
	f.before = func(call int) ([]imports.Result, error) {
		if call == 5 { // the second write
			return nil, errors.New("unavailable")
		}
		return nil, nil
	}
	f.run(t, customerLines(250)).is(t, outcome{err: "unavailable", printed: "stopped after writing 100 of 250 customers (100 created, 0 updated, 0 unchanged); " +
		"run the same command again to continue: customers already written will be unchanged\n"})
	f.before = newFakeServer().before
	f.run(t, customerLines(250)).is(t, outcome{tally: "250 customers: 150 created, 0 updated, 100 unchanged"})
}

// TestChangingSource: a source that changes after the check loses only the
// lines that are now wrong.
func TestChangingSource(t *testing.T) {
	lines := strings.Split(customerLines(150), "\n")
	lines[4], lines[140] = `{"customer_id":"c4","org_id":"o","type":"individual","phone":"5555550136"}`, "{"
	texts := []string{customerLines(150), strings.Join(slices.Delete(lines, 10, 11), "\n")}
	source := Source{"f", func() (io.ReadCloser, error) {
		text := texts[0]
		texts = texts[1:]
		return io.NopCloser(strings.NewReader(text)), nil
	}}
	f := newFakeServer()
	f.runSource(t, source, false).is(t, outcome{
		tally:   "149 customers: 147 created, 0 updated, 0 unchanged, 2 refused",
		err:     "2 lines are wrong, although the check accepted them, and the others were written: the file or the server changed in between",
		printed: "f:5: must be a telephone number (phone)\nf:140: must be one JSON object on one line: unexpected end of JSON input\n",
	})
	if len(f.stored) != 147 {
		t.Errorf("%d are stored", len(f.stored))
	}
}

func TestProgress(t *testing.T) {
	slow := func() *fakeServer {
		f := newFakeServer()
		f.before = func(int) ([]imports.Result, error) { time.Sleep(2 * time.Second); return nil, nil }
		return f
	}
	synctest.Test(t, func(t *testing.T) {
		slow().runSource(t, textSource(customerLines(350)), false).is(t, outcome{
			tally:   "350 customers: 350 created, 0 updated, 0 unchanged",
			printed: "300 customers checked\n200 of 350 customers written\n",
		})
	})
	synctest.Test(t, func(t *testing.T) {
		slow().runSource(t, textSource(customerLines(101)), true).is(t, outcome{
			tally: "101 customers: 101 created, 0 updated, 0 unchanged",
			printed: "\r100 customers checked\r101 customers checked\r                     \r" +
				"\r100 of 101 customers written\r101 of 101 customers written\r                            \r",
		})
	})
}

// FuzzParseCustomer: no line makes it panic, and no error contains what may be
// a telephone number.
func FuzzParseCustomer(f *testing.F) {
	f.Add(`{"customer_id":"1","org_id":"o","type":"individual","phone":"+15555550136","authorized_users":[{"name":"J","phone":"+15555550199"}]}`)
	f.Add(`{"15555550136":1}`)
	f.Add(`15555550136`)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCustomer([]byte(line))
		if err != nil {
			if wholeNumber.MatchString(err.Error()) {
				t.Errorf("the error contains a number: %v", err)
			}
			return
		}
		if c.CustomerID == "" || c.OrgID == "" || c.Type == "" || c.Phone == "" {
			t.Errorf("accepted: %+v", customers.ImportLine{CustomerID: c.CustomerID})
		}
	})
}
