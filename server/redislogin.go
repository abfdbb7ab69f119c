package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/redisstore"
)

// loginOf returns the account whose password is in the file. key is the key of the
// file in the configuration. The file is read for each new connection, so that a
// password can be changed while grantd runs.
func loginOf(key, username, file string, log *slog.Logger) (redisstore.Login, error) {
	if file == "" {
		return redisstore.Login{Username: username}, nil
	}
	first, err := config.ReadSecretFile(file)
	if err != nil {
		return redisstore.Login{}, fmt.Errorf("%s: %w", key, err)
	}
	p := &passwordFile{key: key, file: file, log: log, last: first}
	return redisstore.Login{Username: username, Password: p.password}, nil
}

// passwordFile is a file with a password for Redis.
type passwordFile struct {
	key, file string
	log       *slog.Logger

	mu     sync.Mutex
	last   config.Secret // the last one that could be read
	failed bool          // it could not be read again
}

// password returns the password. One that was read before stays in use if the file
// cannot be read.
func (p *passwordFile) password() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, err := config.ReadSecretFile(p.file)
	switch {
	case err == nil:
		p.last = now
	case !p.failed:
		p.log.Warn("store: the password for Redis cannot be read again; the one before stays in use: check "+p.key, "error", err)
	}
	p.failed = err != nil
	return p.last.Reveal(), nil
}

// redisTLS returns how to speak TLS to Redis; nil: not at all.
func redisTLS(r config.Redis, log *slog.Logger) (*tls.Config, error) {
	if !r.TLS.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: r.TLS.ServerName}
	if r.TLS.CAFile != "" {
		pem, err := os.ReadFile(r.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("store.redis.tls.ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("store.redis.tls.ca_file: %w", errors.New("holds no certificate in PEM form"))
		}
	}
	if r.TLS.CertFile == "" {
		return cfg, nil
	}
	pair := &clientPair{certFile: r.TLS.CertFile, keyFile: r.TLS.KeyFile, log: log}
	if err := pair.load(); err != nil {
		return nil, fmt.Errorf("store.redis.tls.cert_file: %w", err)
	}
	cfg.GetClientCertificate = pair.certificate
	return cfg, nil
}

// clientPair is the certificate that grantd shows to Redis. It is read for each new
// connection.
type clientPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	last   *tls.Certificate // the last one that could be read
	failed bool             // it could not be read again
}

func (p *clientPair) load() error {
	c, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return err
	}
	p.last = &c
	return nil
}

// certificate returns the certificate. One that was read before stays in use if the
// files cannot be read, for example because only one of them is new yet.
func (p *clientPair) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.load()
	if err != nil && !p.failed {
		p.log.Warn("store: the certificate for Redis cannot be read again; the one before stays in use: check store.redis.tls.cert_file and store.redis.tls.key_file", "error", err)
	}
	p.failed = err != nil
	return p.last, nil
}
