package senders

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/signedpost"
)

const exampleKey = "example key, which is not a secret"

// TestPage checks that WEBHOOK.md shows a request as it is sent, and that its shell
// command computes the signature.
func TestPage(t *testing.T) {
	sent, body := example(t)
	page, err := os.ReadFile("WEBHOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	request := "```http\nPOST /codes HTTP/1.1\nHost: sms.example.com\n"
	for _, name := range []string{"Content-Type", "Grantd-Signature", "Grantd-Timestamp", "Idempotency-Key", "User-Agent"} {
		request += name + ": " + sent.Get(name) + "\n"
	}
	for _, want := range []string{
		request + "\n" + body + "\n```",
		fmt.Sprintf("%d times in all within %s, after %d to %d ms", tries, budget, firstPause.Milliseconds()/2, firstPause.Milliseconds()),
		fmt.Sprintf("no response within %s |", signedpost.Try),
		"With the key `" + exampleKey + "`",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("WEBHOOK.md does not say:\n%s", want)
		}
	}

	_, line, _ := strings.Cut(string(page), "```sh\n")
	line, _, _ = strings.Cut(line, "```")
	folder := t.TempDir()
	for name, content := range map[string]string{"body.json": body, "webhook.key": exampleKey + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sh := exec.Command("sh", "-c", line)
	sh.Dir, sh.Env = folder, append(os.Environ(), "timestamp="+sent.Get("Grantd-Timestamp"))
	out, err := sh.CombinedOutput()
	if got := "v1=" + strings.TrimSpace(string(out)); err != nil || got != sent.Get("Grantd-Signature") {
		t.Errorf("the shell line says %s (%v), the header is %s", got, err, sent.Get("Grantd-Signature"))
	}
}

// example sends the message that the page shows.
func example(t *testing.T) (sent http.Header, body string) {
	t.Helper()
	now := time.Unix(1687436422, 0)
	w, err := NewWebhook(WebhookOptions{URL: "https://sms.example.com/codes", Key: []byte(exampleKey), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w.post.Client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(r.Body)
		sent, body = r.Header, string(b)
		if err != nil {
			return nil, err
		}
		return status(http.StatusAccepted)
	})
	m := message()
	m.ExpiresAt = now.Add(10 * time.Minute)
	if err := w.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return sent, body
}
