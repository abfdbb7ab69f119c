package tlsfiles

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// Check reads a pair as Load does. err says what keeps callers from using it, and
// warning what soon will; "" if nothing does.
func Check(certFile, keyFile string, now time.Time) (leaf *x509.Certificate, warning string, err error) {
	p, err := Load(certFile, keyFile, nil)
	if err != nil {
		return nil, "", err
	}
	leaf = p.Leaf()
	problem := Describe(leaf, now)
	if problem != "" && !HealthOf(leaf, now).Usable() {
		return leaf, "", fmt.Errorf("certificate %s %s", certFile, problem)
	}
	if problem != "" {
		warning = fmt.Sprintf("certificate %s %s", certFile, problem)
	}
	return leaf, warning, nil
}

// CheckAuthorities returns an error unless the file holds the certificate of an
// authority that is valid.
func CheckAuthorities(file string, now time.Time) error {
	rest, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	found, problem := false, ""
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s holds a certificate that cannot be read: %w", file, err)
		}
		if found = true; HealthOf(c, now).Usable() {
			return nil
		}
		problem = Describe(c, now)
	}
	if !found {
		return errors.New(file + " holds no certificate in PEM form")
	}
	return fmt.Errorf("every certificate in %s is unusable: the last one %s", file, problem)
}
