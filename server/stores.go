package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/redisstore"
)

// openStore opens the configured store.
func (s *Server) openStore(ctx context.Context) (store.Store, error) {
	if s.cfg.Store.Backend == "redis" {
		return s.openRedis(ctx)
	}
	opened, err := embedded.Open(embedded.Options{
		Path: s.cfg.Store.Embedded.Path, Now: s.now, AuditRetention: s.cfg.Audit.Retention, AuditMaxEvents: s.cfg.Audit.MaxEvents,
		Logger: s.log, OnCommit: s.metrics.Batch,
	})
	if err != nil {
		return nil, fmt.Errorf("store.embedded.path: %w", err)
	}
	return opened, nil
}

func (s *Server) openRedis(ctx context.Context) (store.Store, error) {
	r := s.cfg.Store.Redis
	critical, tokens := r.Acks()
	o := redisstore.Options{
		Acks: redisstore.Acks{Critical: critical, Tokens: tokens, Timeout: r.ReplicaAckTimeout},

		Mode: redisstore.Mode(r.Mode), Addresses: r.Addresses, MasterName: r.MasterName, DB: r.DB, Username: r.Username,
		KeyPrefix: r.KeyPrefix, Now: s.now, AuditRetention: s.cfg.Audit.Retention, AuditMaxEvents: s.cfg.Audit.MaxEvents,
		OnTrip: s.metrics.Trip, Log: s.log, OnUnsuitable: s.metrics.StoreUnsuitable,
		OnSkew:     s.noticeSkew,
		OnReplicas: s.metrics.RedisReplicas, OnUnconfirmed: s.metrics.StoreUnconfirmed,
	}
	if r.PasswordFile != "" {
		password, err := config.ReadSecretFile(r.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("store.redis.password_file: %w", err)
		}
		o.Password = password.Reveal()
	}
	if r.TLS.Enabled {
		var err error
		if o.TLS, err = clientTLS(r.TLS.CAFile); err != nil {
			return nil, fmt.Errorf("store.redis.tls.ca_file: %w", err)
		}
	}
	opened, err := redisstore.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("store.redis: %w", err)
	}
	return opened, nil
}

func clientTLS(caFile string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate in PEM form")
	}
	return cfg, nil
}
