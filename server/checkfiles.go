package server

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/tlsfiles"
)

// CheckFiles reads the files that the configuration names, as a start does. It
// returns what would make the server fail or callers refuse it, and what is risky.
// What it says is true for the user that runs it.
func CheckFiles(cfg config.Config, now time.Time) (faults, warnings config.Faults) {
	f := &fileCheck{now: now}
	f.pair("public.tls", cfg.Public.TLS, issuerHost(cfg))
	f.pair("admin.tls", cfg.Admin.TLS, "")
	f.secret("store.redis.password_file", cfg.Store.Redis.PasswordFile)
	f.secret("store.redis.sentinel.password_file", cfg.Store.Redis.Sentinel.PasswordFile)
	f.authorities("store.redis.tls.ca_file", cfg.Store.Redis.TLS.CAFile)
	f.pair("store.redis.tls", config.TLS{CertFile: cfg.Store.Redis.TLS.CertFile, KeyFile: cfg.Store.Redis.TLS.KeyFile}, "")
	if file := cfg.Scopes.File; file != "" {
		if _, err := scopes.Load(file); err != nil {
			f.fault("scopes.file", errors.New(strings.TrimPrefix(err.Error(), "scopes.file: ")))
		}
		f.mode("scopes.file", file, false)
	}
	f.faults = append(f.faults, CheckPhoneKeys(cfg.Customers.PhoneKeyFile)...)
	f.webhookKey("customers.webhook.secret_file", cfg.Customers.Webhook.SecretFile)
	f.secret("customers.twilio.auth_token_file", cfg.Customers.Twilio.AuthTokenFile)
	f.webhookKey("notices.webhook.secret_file", cfg.Notices.Webhook.SecretFile)
	f.secret("traces.headers_file", cfg.Traces.HeadersFile)
	return f.faults, f.warnings
}

// fileCheck collects faults and warnings. Each method checks one key, and nothing if
// its file is "".
type fileCheck struct {
	now              time.Time
	faults, warnings config.Faults
}

func (f *fileCheck) fault(key string, err error) {
	if err != nil {
		f.faults = append(f.faults, config.Fault{Path: key, Problem: err.Error()})
	}
}

func (f *fileCheck) warn(key, format string, args ...any) {
	f.warnings = append(f.warnings, config.Fault{Path: key, Problem: fmt.Sprintf(format, args...)})
}

// pair checks the certificate of a listener, its key and its authority. host is the
// name that clients know; "" if that is not known.
func (f *fileCheck) pair(key string, files config.TLS, host string) {
	f.authorities(key+".client_ca_file", files.ClientCAFile)
	if !files.Enabled() {
		return
	}
	leaf, warning, err := tlsfiles.Check(files.CertFile, files.KeyFile, f.now)
	f.fault(key+".cert_file", err)
	if warning != "" {
		f.warn(key+".cert_file", "%s", warning)
	}
	if leaf != nil && host != "" && leaf.VerifyHostname(host) != nil {
		f.warn(key+".cert_file", "certificate %s is not for %q, the host of the issuer: clients that connect to grantd directly refuse it", files.CertFile, host)
	}
	f.mode(key+".cert_file", files.CertFile, false)
	f.mode(key+".key_file", files.KeyFile, true)
}

func (f *fileCheck) authorities(key, file string) {
	if file != "" {
		f.fault(key, tlsfiles.CheckAuthorities(file, f.now))
		f.mode(key, file, false)
	}
}

func (f *fileCheck) secret(key, file string) { f.secretBy(config.ReadSecretFile, key, file) }

func (f *fileCheck) webhookKey(key, file string) { f.secretBy(config.ReadWebhookKey, key, file) }

func (f *fileCheck) secretBy(read func(path string) (config.Secret, error), key, file string) {
	if file != "" {
		_, err := read(file)
		f.fault(key, err)
		f.mode(key, file, true)
	}
}

// CheckPhoneKeys returns the faults of the file with the keys of phone numbers; none
// if file is "".
func CheckPhoneKeys(file string) (faults config.Faults) {
	_, err := phonekeys.Load(file)
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		faults = append(faults, config.Fault{Path: "customers.phone_key_file", Problem: line})
	}
	return faults
}

// mode checks the permissions of the file. A missing file is another check's.
func (f *fileCheck) mode(key, file string, secret bool) {
	info, err := os.Stat(file)
	if err != nil {
		return
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		f.fault(key, fmt.Errorf("every user can change %s (mode %04o): run chmod o-w on it", file, mode))
	case secret && mode&0o004 != 0:
		f.warn(key, "every user can read %s (mode %04o): run chmod o-r on it", file, mode)
	}
}
