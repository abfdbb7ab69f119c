package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// secret is what this resource server authenticates with. If it is a file, it is
// read again when the authorization server refuses what was read: so a rotation
// needs no restart.
type secret struct {
	id, file string

	mu      sync.Mutex
	value   string
	refused bool // the authorization server refused value
	pause   time.Duration
	until   instant // value is not tried again before
	looked  instant // when the file was last read for a look-up
}

// A refused secret is tried again seldom: the authorization server counts failures.
const (
	firstRefusedPause = time.Second
	mostRefusedPause  = 15 * time.Second
	betweenLooks      = 100 * time.Millisecond // at the file, however many look-ups there are
	maxSecretFile     = 64 << 10
)

var (
	errRefused   = errors.New("the authorization server refuses the credentials of this resource server (401)")
	errForbidden = errors.New("this client may not introspect (403): give it the scope introspect (grantd client update ID --introspect)")
)

// newSecret reads the file, if there is one.
func newSecret(id, value, file string) (*secret, error) {
	s := &secret{id: id, value: value, file: file, looked: never}
	if file != "" {
		v, err := readSecret(file)
		if err != nil {
			return nil, err
		}
		s.value = v
	}
	return s, nil
}

func readSecret(file string) (string, error) {
	switch info, err := os.Stat(file); {
	case err != nil: // ReadFile says so
	case !info.Mode().IsRegular(): // a pipe would make every caller wait
		return "", fmt.Errorf("guard: the secret file %s is not a file", file)
	case info.Size() > maxSecretFile:
		return "", fmt.Errorf("guard: the secret file %s is too long", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("guard: the secret: %w", err)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("guard: the secret file %s is empty", file)
	}
	return v, nil
}

// get returns the secret to send. If it was refused lately and the file holds no
// other one, get returns how long to wait.
func (s *secret) get(now instant) (value string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.refused || now >= s.until {
		return s.value, 0
	}
	if now-s.looked >= betweenLooks {
		s.looked = now
		if s.reread() {
			return s.value, 0
		}
	}
	return "", s.until - now
}

// reread reports whether the file holds another secret, and takes it. s.mu is held.
func (s *secret) reread() bool {
	if s.file == "" {
		return false
	}
	v, err := readSecret(s.file)
	if err != nil || v == s.value {
		return false
	}
	s.value, s.refused, s.pause = v, false, 0
	return true
}

// refuse notes that the authorization server refused the value, and reports whether
// there is another one by now.
func (s *secret) refuse(value string, now instant) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value != s.value || s.reread() {
		return true
	}
	if !s.refused || now >= s.until {
		s.pause = min(max(2*s.pause, firstRefusedPause), mostRefusedPause)
		s.until = now + s.pause
	}
	s.refused = true
	return false
}

// accept notes that the authorization server accepted the value.
func (s *secret) accept(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == s.value {
		s.refused, s.pause = false, 0
	}
}

// authenticate adds HTTP Basic, whose parts are form-encoded (RFC 6749 §2.3.1).
func (s *secret) authenticate(r *http.Request, value string) {
	r.SetBasicAuth(url.QueryEscape(s.id), url.QueryEscape(value))
}
