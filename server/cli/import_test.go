package cli

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/customers"
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

// What a line of the file becomes in the call, and every form a file may have.
func TestImportForms(t *testing.T) {
	const full = `{"language":"es","authorized_users":[{"phone":"+15555550199","name":"Juan P\u00e9rez"}],"phone":"+15555550136","type":"business","org_id":"h5D8B5gyHtk=","customer_id":"1"}`
	f := newFakeImport(t)
	importFile(t, "\ufeff"+full+"\r\n\n \t\r\n"+`  {"customer_id":"2","org_id":"o","type":"individual","phone":"+1","language":null,"authorized_users":null}`)
	f.run(t, "", "f").is(t, result{out: "2 customers: 2 created, 0 updated, 0 unchanged\n"})
	want := map[string]string{
		"1": `{"org_id":"h5D8B5gyHtk=","type":"business","phone":"+15555550136","authorized_users":[{"name":"Juan Pérez","phone":"+15555550199"}],"language":"es"}`,
		"2": `{"org_id":"o","type":"individual","phone":"+1","authorized_users":[],"language":""}`,
	}
	if diff := cmp.Diff(want, f.kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// What can be read only once is read once.
func TestImportStream(t *testing.T) {
	f := newFakeImport(t)
	f.run(t, customerLines(101), "-").is(t, result{out: "101 customers: 101 created, 0 updated, 0 unchanged\n"})
	f.called(t, "check 100", "check 1", "write 100", "write 1")
	f.run(t, "x\n", "-").is(t, result{code: exitFailed,
		err: "grantd: standard input:1: must be one JSON object on one line: invalid character 'x' looking for beginning of value\ngrantd: 1 line is wrong: nothing is written\n"})

	t.Chdir(shortDir(t))
	if err := syscall.Mkfifo("f", 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile("f", []byte(customerLines(101)), 0) }()
	f.run(t, "", "f").is(t, result{out: "101 customers: 0 created, 0 updated, 101 unchanged\n"})
}

// zeros is input without an end.
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
	f.run(t, "", "f").is(t, result{code: exitFailed, err: "grantd: f holds no customers\n"})
	f.run(t, "", "-").is(t, result{code: exitFailed, err: "grantd: standard input holds no customers\n"})
	f.run(t, "", "g").is(t, result{code: exitFailed, err: "grantd: stat g: no such file or directory\n"})
	f.called(t)
}

// A call carries what the server takes, however long the lines are.
func TestImportLongLines(t *testing.T) {
	f := newFakeImport(t)
	line := func(id string, size int) string {
		s := `{"customer_id":"` + id + `","org_id":"","type":"t","phone":"+1"}`
		return strings.Replace(s, `"org_id":"`, `"org_id":"`+strings.Repeat("<", size-len(s)), 1) // sent as \u003c
	}
	var text strings.Builder
	for i := range 30 {
		text.WriteString(line(strconv.Itoa(100+i), maxLine) + "\r\n")
	}
	importFile(t, text.String())
	f.run(t, "", "f").is(t, result{out: "30 customers: 30 created, 0 updated, 0 unchanged\n"})
	f.called(t, "check 9", "check 9", "check 9", "check 3", "write 9", "write 9", "write 9", "write 3")

	rewrite(t, "f", line("a", maxLine)+"\n"+line("b", maxLine+1)+"\n"+line("c", 5*maxLine)+"\n"+line("d", 3*maxLine))
	f.run(t, "", "f").is(t, result{code: exitFailed,
		err: "grantd: f:2: is longer than 16 KiB\ngrantd: f:3: is longer than 16 KiB\ngrantd: f:4: is longer than 16 KiB\ngrantd: 3 lines are wrong: nothing is written\n"})
	f.called(t, "check 1")
}

// All bad lines are told at once, with those that the server refuses between
// them, and nothing is written.
func TestImportBadLines(t *testing.T) {
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
	f := newFakeImport(t)
	for _, format := range []string{"table", "json"} {
		got := f.run(t, strings.Join(bad, "\n")+"\n", "-", "--output", format)
		golden(t, "import-bad.txt", got.err)
		if got.code != exitFailed || got.out != "" {
			t.Errorf("%+v", got)
		}
		f.called(t, "check 2")
	}
	if len(f.kept) > 0 {
		t.Errorf("written: %v", f.kept)
	}
}

// Of very many bad lines the first are told.
func TestImportManyBadLines(t *testing.T) {
	f := newFakeImport(t)
	importFile(t, customerLines(150)+strings.Repeat("{}\n", 120))
	got := f.run(t, "", "f")
	lines := strings.Split(got.err, "\n")
	if got.code != exitFailed || len(lines) != maxFaults+3 || lines[0] != "grantd: f:151: is missing (customer_id)" ||
		lines[maxFaults-1] != "grantd: f:250: is missing (customer_id)" || lines[maxFaults] != "grantd: and 20 lines more" ||
		lines[maxFaults+1] != "grantd: 120 lines are wrong: nothing is written" {
		t.Errorf("%+v", got)
	}
	f.called(t, "check 100", "check 50")
}

func TestImportProgress(t *testing.T) {
	slow := func(t *testing.T) *fakeImport {
		f := newFakeImport(t)
		f.before = func(int) answer { time.Sleep(2 * time.Second); return answer{} }
		return f
	}
	synctest.Test(t, func(t *testing.T) {
		slow(t).direct(t.Context(), inMemory(customerLines(350)), false).is(t, result{
			out: "350 customers: 350 created, 0 updated, 0 unchanged\n",
			err: "grantd: 300 customers are checked\ngrantd: 200 of 350 customers are written\n",
		})
	})
	synctest.Test(t, func(t *testing.T) {
		slow(t).direct(t.Context(), inMemory(customerLines(101)), true).is(t, result{
			out: "101 customers: 101 created, 0 updated, 0 unchanged\n",
			err: "\r100 customers are checked\r101 customers are checked\r                         \r" +
				"\r100 of 101 customers are written\r101 of 101 customers are written\r                                \r",
		})
	})
}

// No line makes it panic, and no error tells what may be a number.
func FuzzCustomerLine(f *testing.F) {
	f.Add(`{"customer_id":"1","org_id":"o","type":"individual","phone":"+15555550136","authorized_users":[{"name":"J","phone":"+15555550199"}]}`)
	f.Add(`{"15555550136":1}`)
	f.Add(`15555550136`)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := customerLine([]byte(line))
		if err != nil {
			if wholeNumber.MatchString(err.Error()) {
				t.Errorf("told: %v", err)
			}
			return
		}
		if c.CustomerID == "" || c.OrgID == "" || c.Type == "" || c.Phone == "" {
			t.Errorf("taken: %+v", customers.ImportLine{CustomerID: c.CustomerID})
		}
	})
}
