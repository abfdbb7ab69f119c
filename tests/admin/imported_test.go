package admin_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
)

// A secret that is ended while its slow check waits in the queue issues no token
// that stays active. Four strangers at most wait for one client, so three guess; the hash is the
// least costly one, so that the last of them is not turned away after a while.
func TestSecretEndedInTheQueue(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	salt := []byte("0123456789abcdef")
	key, err := pbkdf2.Key(sha256.New, "right", salt, 25_000, 32)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawStdEncoding.EncodeToString
	hash := "$pbkdf2-sha256$i=25000$" + b64(salt) + "$" + b64(key)
	rs := create(t, s, object{"client_id": "cards-api", "scope": "introspect"})
	c := create(t, s, object{"client_id": "legacy", "scope": "users:read", "secret_hash": hash})

	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { tokenFor(t, s, "legacy", "wrong") })
	}
	var token string
	var status int
	wg.Go(func() { token, status = tokenFor(t, s, "legacy", "right") })
	do(t, s, "DELETE", "/clients/legacy/secrets/"+c["secret_id"].(string), nil, 204)
	ended := s.Clock.Now()
	wg.Wait()
	switch {
	case status == 401:
	case status != 200:
		t.Errorf("status %d", status)
	case active(t, s, rs, token):
		x := explain(t, s, token)
		issued, err := time.Parse(time.RFC3339, x["issued_at"].(string))
		if err != nil || issued.After(ended) {
			t.Errorf("a token was issued at %v with a secret that ended at %v", issued, ended)
		}
	}
	if _, status := tokenFor(t, s, "legacy", "right"); status != 401 {
		t.Errorf("the ended secret still works: %d", status)
	}
}
