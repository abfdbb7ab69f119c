package auth

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/field"
)

// FuzzCredentials shows that whatever a request holds is either one readable id
// and secret by one method, or an error that repeats nothing of it.
func FuzzCredentials(f *testing.F) {
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, header := range []string{
		"", "Basic", "Basic ", "basic  " + strings.TrimPrefix(basic("a:b"), "Basic "), basic("a:b"), basic("a:b:c"), basic("ab"), basic(":"), basic("a:"),
		basic(":b"), basic("%61:%2B+"), basic("%zz:b"), basic("a:%"), basic("a b:c"), "Basic !!", "Bearer x", "Digest a=b", basic("a:" + strings.Repeat("s", 1025)),
	} {
		f.Add(header, false, "", "", "", "")
		f.Add(header, true, "a", "b", "", "")
	}
	f.Add("", false, "app", "secret", "", "")
	f.Add("", false, "app", "", "x", "y")
	f.Add(basic("a:b"), false, "a", "", "", "")
	f.Add(basic("a:b"), false, "b", "", "", "y")
	f.Fuzz(func(t *testing.T, header string, twice bool, id, secret, assertion, assertionType string) {
		p := Presented{ClientID: id, ClientSecret: secret, Assertion: assertion, AssertionType: assertionType}
		if header != "" {
			p.Authorization = []string{header}
		}
		if twice {
			p.Authorization = append(p.Authorization, header)
		}
		c, err := p.Credentials()
		if err != nil {
			checkFault(t, err)
			return
		}
		if twice && header != "" || assertion != "" || assertionType != "" {
			t.Fatal("several methods were accepted")
		}
		if !field.ValidClientID(c.ClientID) || c.Secret == "" || len(c.Secret) > credential.MaxLength {
			t.Fatalf("unusable credentials: id %q, %d bytes of secret", c.ClientID, len(c.Secret))
		}
		again := Presented{ClientID: c.ClientID, ClientSecret: c.Secret}
		switch c.Method {
		case MethodPost:
			if len(p.Authorization) > 0 || c.ClientID != id || c.Secret != secret {
				t.Fatal("not what the body holds")
			}
		case MethodBasic:
			if secret != "" || id != "" && id != c.ClientID || len(p.Authorization) != 1 {
				t.Fatal("accepted although the body differs")
			}
			again = Presented{Authorization: []string{basic(url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(c.Secret))}}
		default:
			t.Fatalf("method %q", c.Method)
		}
		if same, err := again.Credentials(); err != nil || same != c {
			t.Errorf("written and read again: %v, %v; want %v", same, err, c)
		}
	})
}

// known are the errors of credentials.go. They are constants, so they hold no
// input.
var known = []error{errTwoHeaders, errTwoMethods, errIDsDiffer, errAssertType, errUnsupported, errEmptyHeader, errFailed,
	errNothingSent, errNoSecret, errNoID, errUnreadable, errNotEncoded, errIDForm, errSecretLength}

func checkFault(t *testing.T, err error) {
	t.Helper()
	var is *apierr.Error
	if !errors.As(err, &is) || is.Code != apierr.InvalidRequest && is.Code != apierr.InvalidClient {
		t.Fatalf("error %v", err)
	}
	if !slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
		t.Errorf("not one of the known errors: %v", err)
	}
}
