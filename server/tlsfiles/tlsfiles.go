// Package tlsfiles serves TLS from a certificate file and a key file that may be
// replaced while the server runs. The pair in use stays if a new one cannot be
// loaded, or if callers would refuse the new one and not the old one.
package tlsfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// watchEvery is how often Watch looks at the files.
	watchEvery = time.Second
	// againEvery is how often Watch tries a pair again that was not taken: it may
	// have become valid, or the one in use may have expired.
	againEvery = time.Minute
)

// Pair is a certificate and its key, as last loaded.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time
	current           atomic.Pointer[tls.Certificate]
	loading           sync.Mutex

	// Only Watch uses these.
	seen    state
	refused string // why the files as seen were not taken; "": they were
	tried   time.Time
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

// Load reads the pair, whatever its names and dates are. now is the clock; nil:
// time.Now. Errors name the files.
func Load(certFile, keyFile string, now func() time.Time) (*Pair, error) {
	if now == nil {
		now = time.Now
	}
	p := &Pair{certFile: certFile, keyFile: keyFile, now: now}
	p.seen = p.stat()
	c, err := p.read()
	if err != nil {
		return nil, err
	}
	p.current.Store(c)
	return p, nil
}

func (p *Pair) read() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	if c.Leaf == nil { // with GODEBUG=x509keypairleaf=0
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, fmt.Errorf("certificate %s: %w", p.certFile, err)
		}
	}
	return &c, nil
}

// Reload reads the files again. The pair in use stays on an error: if the new one
// cannot be loaded, or if the one in use is valid and the new one is not, or lacks
// one of its names.
func (p *Pair) Reload() error {
	p.loading.Lock()
	defer p.loading.Unlock()
	c, err := p.read()
	if err != nil {
		return err
	}
	if err := judge(p.current.Load(), c, p.now()); err != nil {
		return fmt.Errorf("certificate %s does not replace the one in use: %w", p.certFile, err)
	}
	p.current.Store(c)
	return nil
}

// Leaf returns the certificate in use.
func (p *Pair) Leaf() *x509.Certificate { return p.current.Load().Leaf }

// CertFile returns the path of the certificate.
func (p *Pair) CertFile() string { return p.certFile }

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

// Watch reloads the pair whenever the files have changed, until ctx ends. It calls
// reloaded with the result of each reload. A pair that was not taken is tried again
// each minute; reloaded is called if the result is another one then.
func (p *Pair) Watch(ctx context.Context, reloaded func(error)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := p.stat()
		changed := !now.equals(p.seen)
		if !changed && (p.refused == "" || time.Since(p.tried) < againEvery) {
			continue
		}
		p.seen, p.tried = now, time.Now()
		err, before := p.Reload(), p.refused
		p.refused = ""
		if err != nil {
			p.refused = err.Error()
		}
		if changed || p.refused != before {
			reloaded(err)
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
