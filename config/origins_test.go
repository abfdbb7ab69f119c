package config

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzOrigins: what is accepted is exactly what a browser sends for that origin, and
// no message repeats a password.
func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"https://app.example.com", "http://[::1]:3000", "https://a:443", "http://u:p@h", "null", "*", "https://1.2.3.4:080", "https://a.example/", "HTTP://A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var v validator
		v.origins([]string{s}, false)
		if len(v.Faults) > 0 {
			if u, err := url.Parse(s); err == nil && u.User != nil {
				if password, _ := u.User.Password(); len(password) > 8 && strings.Contains(v.Faults.Error(), password) {
					t.Errorf("%q: the message has the password: %s", s, v.Faults.Error())
				}
			}
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme+"://"+u.Host != s || s != strings.ToLower(s) || u.Port() == "0" ||
			u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
			t.Errorf("%q is no origin that a browser sends: %v", s, err)
		}
	})
}
