package story

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// phoneKey is the key with which grantd signs its messages to the receivers.
const phoneKey = "the key that grantd and the receiver share"

// phone starts a receiver for customers.webhook. It puts its URL into $NAME and
// the last message that it got into FILE. An unsigned message fails the story.
func phone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: phone NAME FILE")
	}
	file := ts.MkAbs(args[1])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(phoneKey))
		mac.Write([]byte(r.Header.Get("Grantd-Timestamp") + "."))
		mac.Write(body)
		if err != nil || r.Header.Get("Grantd-Signature") != "v1="+hex.EncodeToString(mac.Sum(nil)) {
			http.Error(w, "not signed by grantd", http.StatusForbidden)
			return
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			http.Error(w, "not stored", http.StatusInternalServerError)
		}
	}))
	ts.Defer(s.Close)
	ts.Check(os.WriteFile(ts.MkAbs("webhook.key"), []byte(phoneKey), 0o600))
	ts.Setenv(args[0], s.URL)
}
