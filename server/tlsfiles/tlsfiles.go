// Package tlsfiles serves TLS from a certificate and a key file that may be
// replaced while it runs. A pair that cannot be loaded leaves the one before
// it in use.
package tlsfiles

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// watchEvery is how often the files are looked at.
const watchEvery = time.Second

// Pair is a certificate and its key, as last loaded.
type Pair struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	seen              state
}

// state tells whether the files changed without reading them; nil is a file
// that is not there.
type state [2]os.FileInfo

// same also goes by which file it is: another one may have the same time.
func (s state) same(as state) bool {
	for i, a := range s {
		b := as[i]
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

// Load reads the pair. Errors name the file.
func Load(certFile, keyFile string) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile}
	p.seen = p.look()
	if err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// Reload reads the files again; on an error the pair in use stays.
func (p *Pair) Reload() error {
	c, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	p.current.Store(&c)
	return nil
}

// Config answers a server's configuration: TLS 1.2 and 1.3, always with the
// pair that is in use.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return p.current.Load(), nil
		},
	}
}

// Watch reloads whenever the files have changed, until ctx ends, and tells
// how each reload went.
func (p *Pair) Watch(ctx context.Context, reloaded func(error)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := p.look(); !now.same(p.seen) {
			p.seen = now
			reloaded(p.Reload())
		}
	}
}

// look follows links: a volume that is swapped by one counts as changed.
func (p *Pair) look() (s state) {
	for i, name := range [...]string{p.certFile, p.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = info
		}
	}
	return s
}
