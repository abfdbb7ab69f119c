package tlsfiles_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/tlsfiles"
)

// made says which certificate to make. The times are relative to now.
type made struct {
	from, to time.Duration
	names    []string
	ips      []net.IP
}

const day = 24 * time.Hour

// write makes the pair in the directory.
func (m made) write(t *testing.T, dir string, now time.Time, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: now.Add(m.from), NotAfter: now.Add(m.to), DNSNames: m.names, IPAddresses: m.ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	put(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return cert, key
}

// TestReloadJudges has what replaces what.
func TestReloadJudges(t *testing.T) {
	t.Parallel()
	host, both := []string{"auth.example.com"}, []string{"auth.example.com", "login.example.com"}
	good := made{from: -day, to: 60 * day, names: host}
	for name, c := range map[string]struct {
		old, next made
		refusal   string // "": it is taken
	}{
		"renewed":                     {good, made{from: -time.Hour, to: 90 * day, names: host}, ""},
		"more names":                  {good, made{from: -time.Hour, to: 90 * day, names: both}, ""},
		"a wildcard for it":           {good, made{from: -time.Hour, to: 90 * day, names: []string{"*.example.com"}}, ""},
		"the same wildcard":           {made{from: -day, to: day, names: []string{"*.example.com"}}, made{to: 9 * day, names: []string{"*.example.com"}}, ""},
		"shorter, but valid":          {good, made{from: -day, to: 2 * day, names: host}, ""},
		"expired":                     {good, made{from: -9 * day, to: -time.Second, names: host}, "expired at "},
		"not yet valid":               {good, made{from: time.Minute, to: 90 * day, names: host}, "is not valid before "},
		"of another host":             {good, made{from: -day, to: 90 * day, names: []string{"other.example.org"}}, `is not for "auth.example.com"`},
		"without one of two names":    {made{from: -day, to: 9 * day, names: both}, made{from: -day, to: 90 * day, names: host}, `is not for "login.example.com"`},
		"without the wildcard":        {made{from: -day, to: 9 * day, names: []string{"*.example.com"}}, made{from: -day, to: 90 * day, names: host}, `is not for "*.example.com"`},
		"without the address":         {made{from: -day, to: 9 * day, names: host, ips: []net.IP{net.IPv4(10, 0, 0, 1)}}, good, `is not for "10.0.0.1"`},
		"expired, after an expired":   {made{from: -9 * day, to: -day, names: host}, made{from: -9 * day, to: -time.Hour, names: host}, ""},
		"another host, after expired": {made{from: -9 * day, to: -day, names: host}, made{from: -day, to: 9 * day, names: []string{"other.example.org"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, now := t.TempDir(), time.Now()
			cert, key := c.old.write(t, dir, now, 1)
			p, err := tlsfiles.Load(cert, key, func() time.Time { return now })
			if err != nil {
				t.Fatal(err)
			}
			c.next.write(t, dir, now, 2)
			err = p.Reload()
			switch {
			case c.refusal == "" && (err != nil || serial(t, p) != 2):
				t.Errorf("it is not taken: %v", err)
			case c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal) || !strings.Contains(err.Error(), cert)):
				t.Errorf("error %v, want one with %q and the file", err, c.refusal)
			case c.refusal != "" && serial(t, p) != 1:
				t.Error("it is in use")
			}
		})
	}
}

func TestHealthOf(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		from, to time.Duration
		want     tlsfiles.Health
		words    string
	}{
		"fresh":                  {-day, 89 * day, tlsfiles.Valid, ""},
		"two weeks left":         {-76 * day, 14*day - time.Second, tlsfiles.EndsSoon, "expires soon"},
		"of six days, two left":  {-4 * day, 2 * day, tlsfiles.Valid, ""},
		"of six days, one left":  {-5 * day, day, tlsfiles.EndsSoon, "expires soon"},
		"expired":                {-day, 0, tlsfiles.Expired, "expired at"},
		"not yet":                {time.Second, day, tlsfiles.NotYetValid, "not valid before"},
		"in its very first hour": {0, 90 * day, tlsfiles.Valid, ""},
	} {
		cert := &x509.Certificate{NotBefore: now.Add(c.from), NotAfter: now.Add(c.to)}
		if got := tlsfiles.HealthOf(cert, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := tlsfiles.Describe(cert, now); (got == "") != (c.words == "") || !strings.Contains(got, c.words) {
			t.Errorf("%s: %q, want %q", name, got, c.words)
		}
	}
}
