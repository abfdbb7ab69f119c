package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
)

// goodFiles returns a configuration whose files are all as they should be.
func goodFiles(t *testing.T, now time.Time) config.Config {
	t.Helper()
	dir := t.TempDir()
	cfg := config.Defaults()
	cfg.Issuer = "https://auth.example.com"
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(90 * 24 * time.Hour), DNSNames: []string{"auth.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	cfg.Public.TLS.CertFile = put("tls.crt", cert, 0o644)
	cfg.Public.TLS.KeyFile = put("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), 0o600)
	cfg.Public.TLS.ClientCAFile = put("ca.crt", cert, 0o644)
	cfg.Store.Redis.PasswordFile = put("password", "of-the-test\n", 0o640)
	cfg.Store.Redis.TLS.Enabled, cfg.Store.Redis.TLS.CAFile = true, put("redis-ca.crt", cert, 0o644)
	cfg.Customers.Webhook.SecretFile = put("webhook.key", strings.Repeat("of-the-test", 3), 0o600)
	cfg.Customers.PhoneKeyFile = put("phone.keys", "k1:"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 0o600)
	cfg.Customers.Twilio.AuthTokenFile = put("twilio", "of-the-test", 0o600)
	cfg.Scopes.File = put("scopes.yaml", "- name: users:read\n  description: read users\n", 0o644)
	return cfg
}

// TestCheckFiles has a row for each thing that can be wrong with a file.
func TestCheckFiles(t *testing.T) {
	t.Parallel()
	spoil := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	open := func(path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil          func(*config.Config)
		later          time.Duration
		fault, warning string
	}{
		"all is well":              {spoil: func(*config.Config) {}},
		"no files":                 {spoil: func(c *config.Config) { *c = config.Defaults() }},
		"no certificate":           {spoil: func(c *config.Config) { remove(c.Public.TLS.CertFile) }, fault: "public.tls.cert_file: certificate "},
		"no key":                   {spoil: func(c *config.Config) { remove(c.Public.TLS.KeyFile) }, fault: "public.tls.cert_file: certificate "},
		"another's key":            {spoil: func(c *config.Config) { c.Public.TLS.KeyFile = goodFiles(t, time.Now()).Public.TLS.KeyFile }, fault: "private key does not match"},
		"certificate expired":      {spoil: func(*config.Config) {}, later: 90 * 24 * time.Hour, fault: " expired at "},
		"certificate ends soon":    {spoil: func(*config.Config) {}, later: 80 * 24 * time.Hour, warning: "expires soon"},
		"certificate of tomorrow":  {spoil: func(*config.Config) {}, later: -24 * time.Hour, fault: "is not valid before"},
		"of another host":          {spoil: func(c *config.Config) { c.Issuer = "https://login.example.com" }, warning: `is not for "login.example.com"`},
		"of another, behind proxy": {spoil: func(c *config.Config) { c.Issuer, c.Public.BehindTLSProxy = "https://login.example.com", true }},
		"key that all can read":    {spoil: func(c *config.Config) { open(c.Public.TLS.KeyFile, 0o644) }, warning: "public.tls.key_file: every user can read "},
		"key that all can change":  {spoil: func(c *config.Config) { open(c.Public.TLS.KeyFile, 0o602) }, fault: "public.tls.key_file: every user can change "},
		"admin pair":               {spoil: func(c *config.Config) { c.Admin.TLS.CertFile, c.Admin.TLS.KeyFile = "/absent.crt", "/absent.key" }, fault: "admin.tls.cert_file: "},
		"no authority":             {spoil: func(c *config.Config) { spoil(c.Public.TLS.ClientCAFile, "junk") }, fault: "public.tls.client_ca_file: "},
		"no authority for Redis":   {spoil: func(c *config.Config) { remove(c.Store.Redis.TLS.CAFile) }, fault: "store.redis.tls.ca_file: "},
		"no password":              {spoil: func(c *config.Config) { remove(c.Store.Redis.PasswordFile) }, fault: "store.redis.password_file: "},
		"empty password":           {spoil: func(c *config.Config) { spoil(c.Store.Redis.PasswordFile, "\n") }, fault: "is empty"},
		"password for all":         {spoil: func(c *config.Config) { open(c.Store.Redis.PasswordFile, 0o644) }, warning: "store.redis.password_file: "},
		"no webhook key":           {spoil: func(c *config.Config) { remove(c.Customers.Webhook.SecretFile) }, fault: "customers.webhook.secret_file: "},
		"webhook key of one byte":  {spoil: func(c *config.Config) { spoil(c.Customers.Webhook.SecretFile, "k\n") }, fault: "customers.webhook.secret_file: "},
		"webhook key of 31 bytes":  {spoil: func(c *config.Config) { spoil(c.Customers.Webhook.SecretFile, strings.Repeat("k", 31)+"\n") }, fault: "openssl rand -hex 32"},
		"webhook key of 32 bytes":  {spoil: func(c *config.Config) { spoil(c.Customers.Webhook.SecretFile, strings.Repeat("k", 32)) }},
		"no token of Twilio":       {spoil: func(c *config.Config) { remove(c.Customers.Twilio.AuthTokenFile) }, fault: "customers.twilio.auth_token_file: "},
		"no phone keys":            {spoil: func(c *config.Config) { c.Customers.PhoneKeyFile = "/absent.keys" }, fault: "customers.phone_key_file: "},
		"phone keys for all":       {spoil: func(c *config.Config) { open(c.Customers.PhoneKeyFile, 0o644) }, fault: "customers.phone_key_file: "},
		"bad catalogue":            {spoil: func(c *config.Config) { spoil(c.Scopes.File, "- name: two words\n") }, fault: "scopes.file: "},
		"no catalogue":             {spoil: func(c *config.Config) { remove(c.Scopes.File) }, fault: "scopes.file: "},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			cfg := goodFiles(t, now)
			c.spoil(&cfg)
			faults, warnings := CheckFiles(cfg, now.Add(c.later+time.Second))
			check := func(kind, want string, got config.Faults) {
				t.Helper()
				if (want == "") != (len(got) == 0) || !strings.Contains(got.Error(), want) {
					t.Errorf("%s %v, want %q", kind, got, want)
				}
				if strings.Contains(got.Error(), "of-the-test") {
					t.Errorf("%s hold a secret: %v", kind, got)
				}
			}
			check("faults", c.fault, faults)
			check("warnings", c.warning, warnings)
		})
	}
}
