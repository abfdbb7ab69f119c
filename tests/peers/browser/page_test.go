package browser

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/grantd/grantd/tests/harness"
)

// guideCode returns the code of the page from the app guide, for the server at the URL.
func guideCode(t *testing.T, url string) string {
	t.Helper()
	b, err := os.ReadFile("../../../server/customers/APP_GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(b), "\n## From a web page\n")
	_, code, _ := strings.Cut(below, "\n```js\n")
	code, _, ok := strings.Cut(code, "\n```\n")
	const example = "'https://auth.example.com'"
	if !ok || strings.Count(code, example) != 1 {
		t.Fatal("APP_GUIDE.md has no code of a page")
	}
	return strings.Replace(code, example, "'"+url+"'", 1)
}

// site is a web site of one origin.
type site struct {
	*httptest.Server
	page string // set before the page is opened
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(s.page))
	}))
	t.Cleanup(s.Close)
	return s
}

// tab is an open page. Its context is that of the browser.
type tab struct{ ctx context.Context }

// open starts Chromium and opens the page of the site, which has the code of the guide.
func open(t *testing.T, s *site, server *harness.Server) tab {
	t.Helper()
	s.page = "<!doctype html><title>App</title><script>\n" + guideCode(t, server.URL) + "\n</script>"
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // for root, in a container
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.WSURLReadTimeout(time.Minute), // on a busy machine
		chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(allocator)
	t.Cleanup(leave)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(s.URL)); err != nil {
		t.Fatal(err)
	}
	return tab{ctx}
}

// outcome is what a call of the page came to.
type outcome struct {
	Value any
	Error *struct {
		Name, Message, Code, RequestID string
		Status                         int
		RetryAfter                     float64
	}
}

// call evaluates an expression in the page, whose value may be a promise. The
// arguments are its variables.
func (p tab) call(t *testing.T, expression string, arguments map[string]any) (o outcome) {
	t.Helper()
	var variables strings.Builder
	for name, value := range arguments {
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		variables.WriteString("const " + name + " = " + string(b) + ";\n")
	}
	script := `(async () => {` + variables.String() + `
try { return JSON.stringify({ value: await (` + expression + `) }) } catch (e) {
  return JSON.stringify({ error: { name: e.name, message: e.message, status: e.status, code: e.code, requestID: e.requestId, retryAfter: e.retryAfter } })
}})()`
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// text is call for an expression that must have a text as its value.
func (p tab) text(t *testing.T, expression string, arguments map[string]any) string {
	t.Helper()
	o := p.call(t, expression, arguments)
	s, ok := o.Value.(string)
	if o.Error != nil || !ok || s == "" {
		t.Fatalf("%s: %v %+v", expression, o.Value, o.Error)
	}
	return s
}

// blocked fails the test unless the browser refused the call: fetch throws without
// any detail.
func (p tab) blocked(t *testing.T, expression string, arguments map[string]any) {
	t.Helper()
	if o := p.call(t, expression, arguments); o.Error == nil || o.Error.Name != "TypeError" || o.Error.Message != "Failed to fetch" {
		t.Errorf("%s: %v %+v, want the browser to refuse it", expression, o.Value, o.Error)
	}
}
