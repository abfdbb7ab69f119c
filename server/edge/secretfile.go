package edge

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/server/credential"
)

// readSecret returns the secret in the file, without a line break at its end. Errors
// say what is wrong, and do not repeat what is in the file.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // a pipe would make every caller wait
		return "", fmt.Errorf("%s cannot be read: it is not a file", path)
	}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("the file %s does not exist", path)
	case err != nil:
		return "", fmt.Errorf("the file %s cannot be read: %w", path, errors.Unwrap(err))
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, credential.MaxLength+3))
	if err != nil {
		return "", fmt.Errorf("the file %s cannot be read: %w", path, errors.Unwrap(err))
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case secret == "":
		return "", fmt.Errorf("the file %s is empty", path)
	case len(secret) > credential.MaxLength || strings.ContainsAny(secret, "\r\n\x00"):
		return "", fmt.Errorf("the file %s holds more than one line of at most %d bytes", path, credential.MaxLength)
	}
	return secret, nil
}

// digest replaces a secret where it is compared or remembered.
type digest [sha256.Size]byte

// hasher makes digests under a key that only this process has.
type hasher struct{ key [32]byte }

func newHasher() *hasher {
	h := &hasher{}
	if _, err := rand.Read(h.key[:]); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
	return h
}

// of returns the digest of the secret of a client. The lengths keep the parts apart. A
// key of fixed length before the rest is a MAC as long as the digest is not shown.
func (h *hasher) of(id, secret string) digest {
	var room [512]byte
	b := append(room[:0], h.key[:]...)
	b = append(b, byte(len(id)), byte(len(secret)), byte(len(secret)>>8))
	b = append(append(b, id...), secret...)
	d := digest(sha256.Sum256(b))
	clear(b)
	return d
}

func (d *digest) equal(other *digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

const (
	// lookEvery is how often a file is looked at while it is used.
	lookEvery = time.Second
	// settled is how old the last change of a file must be so that a later change
	// surely has another time.
	settled = 2 * time.Second
)

// secretFile is the secret of a client in a file that an operator may replace.
type secretFile struct {
	id, path string
	hash     *hasher
	log      *slog.Logger
	current  atomic.Pointer[digest]
	looked   atomic.Int64 // when, in nanoseconds since start
	start    time.Time

	mu    sync.Mutex
	known fs.FileInfo // nil: to be read again
	fault string      // logged last
}

// openSecret reads the file of the client's secret.
func openSecret(c TokenClient, h *hasher, log *slog.Logger) (*secretFile, error) {
	s := &secretFile{id: c.ID, path: c.SecretFile, hash: h, log: log, start: time.Now()}
	return s, s.read()
}

// matches reports whether it is the secret in the file.
func (s *secretFile) matches(d *digest) bool {
	if now := int64(time.Since(s.start)); now-s.looked.Load() >= int64(lookEvery) {
		s.refresh()
	}
	return s.current.Load().equal(d)
}

// refresh reads the file again if it has changed. What cannot be read leaves the secret
// as it was.
func (s *secretFile) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked.Store(int64(time.Since(s.start)))
	now, err := os.Stat(s.path)
	if err == nil && s.known != nil && os.SameFile(now, s.known) && now.ModTime().Equal(s.known.ModTime()) && now.Size() == s.known.Size() {
		return
	}
	fault := ""
	if err := s.read(); err != nil {
		fault = err.Error()
	}
	if fault != s.fault && fault != "" {
		s.log.Error("the secret of a client cannot be read again: the old one stays in use", "client_id", s.id, "error", fault)
	}
	s.fault = fault
}

// read reads the file.
func (s *secretFile) read() error {
	before, err := os.Stat(s.path)
	secret, err2 := readSecret(s.path)
	if err2 != nil {
		s.known = nil
		return err2
	}
	if s.known = before; err != nil || time.Since(before.ModTime()) < settled {
		s.known = nil
	}
	d := s.hash.of(s.id, secret)
	s.current.Store(&d)
	return nil
}
