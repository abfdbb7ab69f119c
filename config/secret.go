package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

const (
	redacted       = "[redacted]"
	maxSecretBytes = 64 << 10
)

// Secret is a string that printers, encoders and loggers do not show. Only
// Reveal returns it. The zero value is the empty secret. Two Secrets must not be
// compared with ==.
type Secret struct {
	// A pointer, because fmt prints unexported fields without calling String.
	// It then prints an address.
	value *string
}

// NewSecret returns s as a Secret.
func NewSecret(s string) Secret { return Secret{value: &s} }

// Reveal returns the secret itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns a fixed text instead of the secret.
func (Secret) String() string { return redacted }

// GoString does the same for %#v.
func (Secret) GoString() string { return redacted }

// MarshalText does the same for encoders, JSON and YAML among them.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue does the same for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// ReadSecretFile returns the contents of the file at path without one newline
// at the end. It fails if the file is unreadable, empty or larger than 64 KiB.
// The error contains the path, but never the contents.
func ReadSecretFile(path string) (Secret, error) {
	data, err := readBounded(path, maxSecretBytes)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret file: %w", err)
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(data)) == 0 {
		return Secret{}, fmt.Errorf("read secret file: %s is empty; write the secret to it", path)
	}
	return NewSecret(string(data)), nil
}

// minWebhookKey is the shortest key of an HMAC-SHA-256 (RFC 7518 section 3.2), in
// bytes.
const minWebhookKey = 32

// ReadWebhookKey returns the key that signs the requests to a webhook. Every webhook
// has this rule: at least 32 bytes, because anyone who sees one request can try keys
// on it. Its other errors are those of ReadSecretFile.
func ReadWebhookKey(path string) (Secret, error) {
	key, err := ReadSecretFile(path)
	if err != nil {
		return Secret{}, err
	}
	if n := len(key.Reveal()); n < minWebhookKey {
		return Secret{}, fmt.Errorf("%s holds a key of %d bytes, which is shorter than %d: make one with `openssl rand -hex 32`, and give it to the receiver too", path, n, minWebhookKey)
	}
	return key, nil
}

// readBounded reads a file of at most limit bytes. Its errors contain the path.
func readBounded(path string, limit int64) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, limit>>10)
	}
	return data, nil
}
