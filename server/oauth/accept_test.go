package oauth

import "testing"

func TestAccept(t *testing.T) {
	const jwt = "application/token-introspection+jwt"
	for _, c := range []struct {
		rule   string
		fields []string
		signed bool
	}{
		{"no field", nil, false},
		{"an empty field", []string{""}, false},
		{"named", []string{jwt}, true},
		{"another case", []string{"Application/Token-Introspection+JWT"}, true},
		{"JSON", []string{"application/json"}, false},
		{"anything", []string{"*/*"}, false},
		{"anything of application", []string{"application/*"}, false},
		{"an unknown type", []string{"text/html, application/jwt"}, false},
		{"another JWT type", []string{"application/jwt"}, false},
		{"a longer name", []string{jwt + "s"}, false},
		{"both, equally", []string{"application/json, " + jwt}, true},
		{"both, in two fields", []string{"application/json", jwt}, true},
		{"preferred", []string{"application/json;q=0.5, " + jwt}, true},
		{"equal weights", []string{jwt + ";q=0.5, application/json;q=0.5"}, true},
		{"JSON is preferred", []string{jwt + ";q=0.5, application/json"}, false},
		{"JSON is preferred by a thousandth", []string{jwt + ";q=0.899,application/json;q=0.9"}, false},
		{"JSON is preferred by a wildcard", []string{jwt + ";q=0.5, */*"}, false},
		{"JSON is preferred by a narrower wildcard", []string{jwt + ";q=0.5, application/*;q=0.6, */*;q=0.1"}, false},
		{"the most specific range of JSON counts", []string{jwt + ";q=0.5, application/json;q=0.1, */*"}, true},
		{"wildcard with less weight", []string{jwt + ", */*;q=0.1"}, true},
		{"refused", []string{jwt + ";q=0"}, false},
		{"refused with decimals", []string{jwt + ";q=0.000"}, false},
		{"everything is refused", []string{jwt + ";q=0, application/json;q=0"}, false},
		{"spaces and tabs", []string{" " + jwt + " ;\tq = 0.7 , text/plain"}, true},
		{"upper-case Q", []string{jwt + ";Q=0"}, false},
		{"a parameter", []string{jwt + ";v=1;q=1.000"}, true},
		{"a quoted comma", []string{`text/plain;x="a,` + jwt + `"`}, false},
		{"a quoted quote", []string{`text/plain;x="a\",b", ` + jwt}, true},
		{"empty elements", []string{",, " + jwt + " ,"}, true},
		{"an open quote", []string{jwt + `;x="a`}, false},
		{"a weight above 1", []string{jwt + ";q=1.001"}, false},
		{"a negative weight", []string{jwt + ";q=-1"}, false},
		{"a weight in words", []string{jwt + ";q=high"}, false},
		{"an empty weight", []string{jwt + ";q="}, false},
		{"too many decimals", []string{jwt + ";q=0.1234"}, false},
		{"another element is malformed", []string{jwt + ", text/plain;q=2"}, false},
		{"spaces inside", []string{"application/token-introspection+jwt text/plain"}, false},
	} {
		if got := wantsSigned(c.fields); got != c.signed {
			t.Errorf("%s: %q: signed %v, want %v", c.rule, c.fields, got, c.signed)
		}
	}
	if n := testing.AllocsPerRun(100, func() { wantsSigned([]string{"application/json;q=0.5, " + jwt}) }); n != 0 {
		t.Errorf("reading Accept allocates %v times", n)
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("application/token-introspection+jwt;q=0.5, application/json", "*/*")
	f.Add(`text/plain;x="a\",b"`, ";")
	f.Fuzz(func(t *testing.T, one, other string) {
		signed := wantsSigned([]string{one, other})
		if joined := wantsSigned([]string{one + "," + other}); signed && !joined {
			t.Errorf("%q and %q ask for a signed response, but not as one field", one, other)
		}
	})
}
