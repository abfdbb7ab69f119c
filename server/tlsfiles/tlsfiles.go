// Package tlsfiles serves TLS from a certificate file and a key file that may be
// replaced while the server runs. If a new pair cannot be loaded, the old one
// stays in use.
package tlsfiles

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// watchEvery is how often Watch looks at the files.
const watchEvery = time.Second

// Pair is a certificate and its key, as last loaded.
type Pair struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	seen              state
}

// state tells whether the files changed, without reading them. nil is a file that
// does not exist.
type state [2]os.FileInfo

// equals also compares which file it is: another file may have the same time.
func (s state) equals(other state) bool {
	for i, a := range s {
		b := other[i]
		if a == nil || b == nil {
			if a != b {
				return false
			}
			continue
		}
		if !os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() {
			return false
		}
	}
	return true
}

// Load reads the pair. Errors name the files.
func Load(certFile, keyFile string) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile}
	p.seen = p.stat()
	if err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// Reload reads the files again. On an error the pair in use stays.
func (p *Pair) Reload() error {
	c, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	p.current.Store(&c)
	return nil
}

// Config returns the configuration of a server: TLS 1.2 and 1.3, always with the
// pair in use.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return p.current.Load(), nil
		},
	}
}

// Watch reloads the pair whenever the files have changed, until ctx ends. It
// calls reloaded with the result of each reload.
func (p *Pair) Watch(ctx context.Context, reloaded func(error)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := p.stat(); !now.equals(p.seen) {
			p.seen = now
			reloaded(p.Reload())
		}
	}
}

// stat follows links, so that a volume that is swapped by a link counts as
// changed.
func (p *Pair) stat() (s state) {
	for i, name := range [...]string{p.certFile, p.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = info
		}
	}
	return s
}
