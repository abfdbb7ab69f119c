package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// A certificate ends soon if less than soonest is left, or less than a quarter of a
// life that is short: those are replaced every few days.
const (
	soonest   = 14 * 24 * time.Hour
	shareLeft = 4
)

// Health is whether a certificate can be used at a time.
type Health int

// The values of Health.
const (
	Valid Health = iota
	EndsSoon
	Expired
	NotYetValid
)

// HealthOf returns the health of the certificate.
func HealthOf(c *x509.Certificate, now time.Time) Health {
	left := c.NotAfter.Sub(now)
	switch {
	case now.Before(c.NotBefore):
		return NotYetValid
	case left <= 0:
		return Expired
	case left < min(soonest, c.NotAfter.Sub(c.NotBefore)/shareLeft):
		return EndsSoon
	}
	return Valid
}

// Usable reports whether callers accept it.
func (h Health) Usable() bool { return h == Valid || h == EndsSoon }

// Describe says what is wrong with the certificate in words; "" if nothing is.
func Describe(c *x509.Certificate, now time.Time) string {
	switch HealthOf(c, now) {
	case NotYetValid:
		return "is not valid before " + c.NotBefore.UTC().Format(time.RFC3339) + " (is the clock right?)"
	case Expired:
		return "expired at " + c.NotAfter.UTC().Format(time.RFC3339)
	case EndsSoon:
		return "expires soon, at " + c.NotAfter.UTC().Format(time.RFC3339)
	case Valid:
	}
	return ""
}

// names returns the names that the certificate is for: host names, with wildcards,
// and addresses.
func names(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// lacks returns a name that old is for and c is not, or "".
func lacks(c, old *x509.Certificate) string {
	for _, name := range names(old) {
		if !slices.Contains(c.DNSNames, name) && c.VerifyHostname(name) != nil {
			return name
		}
	}
	return ""
}

// judge returns an error if next must not replace the certificate in use, which
// callers accept: they would refuse the next one.
func judge(inUse, next *tls.Certificate, now time.Time) error {
	old, c := inUse.Leaf, next.Leaf
	if !HealthOf(old, now).Usable() {
		return nil
	}
	if !HealthOf(c, now).Usable() {
		return fmt.Errorf("it %s, and the one in use is valid until %s", Describe(c, now), old.NotAfter.UTC().Format(time.RFC3339))
	}
	if name := lacks(c, old); name != "" {
		return fmt.Errorf("it is not for %q, which the one in use is for: put a certificate for all its names there, or restart grantd if the name has changed", name)
	}
	return nil
}
