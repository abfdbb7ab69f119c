package service_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// TestHangUps checks that callers who hang up change no metric that an alert is on:
// they are counted as 499, and their store operations as canceled. Nothing is sent.
func TestHangUps(t *testing.T) {
	t.Parallel()
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(opened)
	o := measured()
	o.Use = faulty
	s := harness.Start(t, o)
	c := s.NewClient(t, "billing", "users:read")
	before := scrape(t, s)
	const callers = 100
	entered, release := faulty.Block("PutToken")
	defer release()
	body := "grant_type=client_credentials"
	request := fmt.Sprintf("POST /oauth/token HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		base64.StdEncoding.EncodeToString([]byte(c.ClientID+":"+c.ClientSecret)), len(body), body)
	for i := range callers {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		<-entered
		if i == 0 { // it still reads
			_ = conn.(*net.TCPConn).CloseWrite()
			_ = conn.SetReadDeadline(time.Now().Add(poll.Patience))
			if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
				t.Errorf("the caller got %q, %v", got, err)
			}
		}
		_ = conn.Close()
	}
	hungUp := fmt.Sprintf("grantd_http_requests_total{code=%q,listener=%q,route=%q}", "499", "public", "/oauth/token")
	poll.AwaitTrue(t, poll.Patience, "all hang-ups are counted", func() bool { return scrape(t, s)[hungUp]-before[hungUp] == callers })
	after := scrape(t, s)
	const canceled = `grantd_store_operation_duration_seconds_count{operation="PutToken",result="canceled"}`
	if n := after[canceled] - before[canceled]; n != callers {
		t.Errorf("%v canceled operations, want %d", n, callers)
	}
	for name, value := range after {
		alert := strings.Contains(name, `code="5`) || strings.Contains(name, `result="unavailable"`)
		if alert && value != before[name] {
			t.Errorf("%s changed from %v to %v", name, before[name], value)
		}
	}
	if logs := s.Logs.String(); strings.Count(logs, `"status":499`) != callers || strings.Contains(logs, `"status":5`) || !strings.Contains(logs, `"error":"caller_hung_up"`) {
		t.Errorf("the log has %d lines with 499, want %d", strings.Count(logs, `"status":499`), callers)
	}
	faulty.Heal("PutToken")
	faulty.Fail("PutToken", store.ErrUnavailable)
	if r := s.Form(t, "/oauth/token", c.ClientID, c.ClientSecret, map[string][]string{"grant_type": {"client_credentials"}}); !r.Unavailable() {
		t.Errorf("a caller who waits for a store that fails: %v", r)
	}
}
