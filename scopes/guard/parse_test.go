package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// onBehalf is a response with most members, as grantd sends it with follow=true.
const onBehalf = `{"active":true,"scope":"customers cards","token_type":"Bearer","exp":1687522822,"iat":1687436422,` +
	`"sub":"org:h5D8B5gyHtk=","aud":["https://a.example.com","https://b.example.com"],"iss":"https://auth.example.com","jti":"8mB2","token_use":"on_behalf",` +
	`"org_id":"h5D8B5gyHtk=","partner_id":"hurdlr","act":{"sub":"partner:hurdlr"},"source_ips":["203.0.113.7","2001:db8::/48"],` +
	`"endpoints":["GET /cards","GET /customers/{id}"],"void_keys":["AAAAAAAAAAA","BBBBBBBBBBA"],"feed_position":"0123456789abcdefghijklmnop","feed_age_ms":120}`

const customer = `{"active":true,"scope":"cards","client_id":"app","exp":1687522822,"sub":"customer:10001","aud":"https://a.example.com","token_use":"customer",` +
	`"customer_id":"10001","authorized_user_id":"7","resources":[{"type":"card","ids":["12","13"]},{"type":"account","ids":["4"]}],"auth_time":1687436420,"amr":["otp"]}`

func TestParseToken(t *testing.T) {
	for _, row := range []struct {
		rule, body string
		want       Token
		follow     follow
	}{
		{"an on-behalf token", onBehalf, Token{
			Active: true, Scopes: []string{"customers", "cards"}, Subject: "org:h5D8B5gyHtk=", Use: UseOnBehalf, OrgID: "h5D8B5gyHtk=", PartnerID: "hurdlr",
			Audience: []string{"https://a.example.com", "https://b.example.com"}, Issuer: "https://auth.example.com", JTI: "8mB2", Actor: &Actor{"partner:hurdlr"},
			SourceIPs: []string{"203.0.113.7", "2001:db8::/48"}, Endpoints: []string{"GET /cards", "GET /customers/{id}"},
			ExpiresAt: time.Unix(1687522822, 0).UTC(), IssuedAt: time.Unix(1687436422, 0).UTC(),
		}, follow{[]string{"AAAAAAAAAAA", "BBBBBBBBBBA"}, "0123456789abcdefghijklmnop", 120 * time.Millisecond, true}},
		{"a customer token", customer, Token{
			Active: true, Scopes: []string{"cards"}, ClientID: "app", Subject: "customer:10001", Use: UseCustomer, CustomerID: "10001", AuthorizedUserID: "7",
			Audience: []string{"https://a.example.com"}, Resources: []Resource{{"card", []string{"12", "13"}}, {"account", []string{"4"}}},
			ExpiresAt: time.Unix(1687522822, 0).UTC(), AuthTime: time.Unix(1687436420, 0).UTC(), AMR: []string{"otp"},
		}, follow{}},
		{"spaces between", " {\n \"active\" : true , \"exp\" : 5 ,\t\"sub\":\"client:a\", \"token_use\" : \"client\",\"aud\" : [ \"x\" ] }\n", Token{
			Active: true, Subject: "client:a", Use: UseClient, ExpiresAt: time.Unix(5, 0).UTC(), Audience: []string{"x"},
		}, follow{}},
		{"bound to a certificate", minimal(`"cnf":{"x5t#S256":"abc"}`), Token{Active: true, Subject: "client:a", Use: UseClient, ExpiresAt: time.Unix(5, 0).UTC(), Bound: true}, follow{}},
		{"bound to a key", minimal(`"token_type":"DPoP"`), Token{Active: true, Subject: "client:a", Use: UseClient, ExpiresAt: time.Unix(5, 0).UTC(), Bound: true}, follow{}},
		{"inactive", `{"active":false}`, Token{}, follow{}},
		{"inactive, and what else it says does not count", `{"active":false,"scope":"a","sub":"client:a","void_keys":["AAAAAAAAAAA"],"feed_position":"0123456789abcdefghijklmnop"}`, Token{}, follow{}},
	} {
		t.Run(row.rule, func(t *testing.T) {
			got, f, err := parseToken([]byte(row.body))
			if err != nil {
				t.Fatal(err)
			}
			ignore := cmpopts.IgnoreFields(Token{}, "Raw", "sources", "endpoints", "serverTime", "heardAt")
			if d := cmp.Diff(&row.want, got, ignore, cmp.AllowUnexported(Token{})); d != "" {
				t.Errorf("token (-want +got):\n%s", d)
			}
			if d := cmp.Diff(row.follow, f, cmp.AllowUnexported(follow{})); d != "" {
				t.Errorf("follow (-want +got):\n%s", d)
			}
		})
	}
}

// minimal is the least that an active token has, and some more members.
func minimal(more string) string {
	return `{"active":true,"exp":5,"sub":"client:a","token_use":"client",` + more + `}`
}

// Raw is what a caller of an introspection endpoint may see: everything except what
// only caches need, and nothing about an inactive token.
func TestRaw(t *testing.T) {
	for _, row := range []struct{ rule, body, want string }{
		{"without what caches need", minimal(`"void_keys":["AAAAAAAAAAA"],"x":{"a":[1, 2.50]},"feed_position":"0123456789abcdefghijklmnop","feed_age_ms":0`), minimal(`"x":{"a":[1, 2.50]}`)},
		{"unknown members stay", minimal(`"later":"<b>é"`), minimal(`"later":"<b>é"`)},
		{"inactive", `{"active": false, "sub":"client:a"}`, `{"active":false}`},
	} {
		got, _, err := parseToken([]byte(row.body))
		if err != nil {
			t.Fatalf("%s: %v", row.rule, err)
		}
		if string(got.Raw) != row.want {
			t.Errorf("%s: %s, want %s", row.rule, got.Raw, row.want)
		}
	}
}

func TestParseTokenRefuses(t *testing.T) {
	for _, row := range []struct{ rule, body, want string }{
		{"nothing", ``, "not JSON"},
		{"no JSON", `active`, "not JSON"},
		{"HTML", `<html>`, "not JSON"},
		{"cut off", `{"active":true`, "not JSON"},
		{"two values", `{"active":false}{"active":true}`, "not JSON"},
		{"not UTF-8", "{\"active\":false,\"x\":\"\xff\"}", "not JSON"},
		{"too long", `{"active":false,"x":"` + strings.Repeat("a", maxResponse) + `"}`, "longer than"},
		{"a list", `[true]`, "another type"},
		{"null", `null`, "another type"},
		{"a text", `"active"`, "another type"},
		{"no active", `{"exp":5,"sub":"client:a","token_use":"client"}`, `"active" is missing`},
		{"active in another case", `{"Active":true,"exp":5,"sub":"client:a","token_use":"client"}`, `"active" is missing`},
		{"active as a text", `{"active":"true"}`, `"active": a value of another type`},
		{"active as a number", `{"active":1}`, "another type"},
		{"active null", `{"active":null}`, "another type"},
		{"active twice", `{"active":false,"active":true}`, "repeated"},
		{"active twice, once escaped", `{"active":true,"\u0061ctive":false}`, "repeated"},
		{"scope twice", minimal(`"scope":"a","scope":"b"`), "repeated"},
		{"a name twice in a member", minimal(`"act":{"sub":"a","sub":"b"}`), "repeated"},
		{"a name twice in a resource", minimal(`"resources":[{"type":"card","ids":[],"ids":["1"]}]`), "repeated"},
		{"a name twice in an unknown member", minimal(`"x":[[{"a":1,"a":2}]]`), "repeated"},
		{"too deep", minimal(`"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9)), "too many levels"},
		{"no token_use", `{"active":true,"exp":5,"sub":"client:a"}`, `"token_use" is missing`},
		{"no sub", `{"active":true,"exp":5,"token_use":"client"}`, `"sub" is missing`},
		{"no exp", `{"active":true,"sub":"client:a","token_use":"client"}`, `"exp" is missing`},
		{"exp as a text", `{"active":true,"exp":"5"}`, `"exp": a value of another type`},
		{"exp with a fraction", `{"active":true,"exp":5.5}`, "another type"},
		{"exp with an exponent", `{"active":true,"exp":1e9}`, "another type"},
		{"exp of zero", `{"active":true,"exp":0}`, "another type"},
		{"exp below zero", `{"active":true,"exp":-1}`, "another type"},
		{"exp after the year 9999", `{"active":true,"exp":253402300800}`, "another type"},
		{"exp beyond any number", `{"active":true,"exp":99999999999999999999}`, "another type"},
		{"iat null", minimal(`"iat":null`), "another type"},
		{"auth_time as a text", minimal(`"auth_time":"1"`), "another type"},
		{"a scope list", minimal(`"scope":["a"]`), `"scope": a value of another type`},
		{"two spaces in scope", minimal(`"scope":"a  b"`), "characters"},
		{"a space before scope", minimal(`"scope":" a"`), "characters"},
		{"a quote in scope", minimal(`"scope":"a\"b"`), "characters"},
		{"scope null", minimal(`"scope":null`), "another type"},
		{"sub as a number", minimal(`"sub2":1,"jti":7`), "another type"},
		{"a line break in a text", minimal(`"client_id":"a\nb"`), "characters"},
		{"a NUL in a text", minimal(`"client_id":"a\u0000b"`), "characters"},
		{"token_use as a list", `{"active":true,"token_use":["client"]}`, "another type"},
		{"token_type as a number", minimal(`"token_type":1`), "another type"},
		{"aud as a number", minimal(`"aud":1`), "another type"},
		{"aud with a number", minimal(`"aud":["a",1]`), "another type"},
		{"aud null", minimal(`"aud":null`), "another type"},
		{"act as a text", minimal(`"act":"partner:a"`), "another type"},
		{"source_ips as a text", minimal(`"source_ips":"203.0.113.7"`), "another type"},
		{"source_ips null", minimal(`"source_ips":null`), "another type"},
		{"source_ips that are none", minimal(`"source_ips":["example.com"]`), "not an address"},
		{"source_ips with a zone", minimal(`"source_ips":["fe80::1%eth0"]`), "not an address"},
		{"source_ips beyond the bits", minimal(`"source_ips":["203.0.113.0/33"]`), "not an address"},
		{"endpoints null", minimal(`"endpoints":null`), "another type"},
		{"endpoints with another method", minimal(`"endpoints":["POST /cards"]`), "endpoint"},
		{"endpoints that conflict", minimal(`"endpoints":["GET /{a}/b","GET /a/{b}"]`), "endpoints"},
		{"resources null", minimal(`"resources":null`), "another type"},
		{"resources as an object", minimal(`"resources":{}`), "another type"},
		{"a resource with something else", minimal(`"resources":[{"type":"card","ids":["1"],"actions":["read"]}]`), "only type and ids"},
		{"no endpoints", minimal(`"endpoints":[]`), `"endpoints": a restriction is empty`},
		{"no source_ips", minimal(`"source_ips":[]`), "restriction is empty"},
		{"no resources", minimal(`"resources":[]`), "restriction is empty"},
		{"no aud", minimal(`"aud":[]`), "restriction is empty"},
		{"aud without a text", minimal(`"aud":""`), "restriction is empty"},
		{"aud with an empty text", minimal(`"aud":["a",""]`), "restriction is empty"},
		{"ids that are numbers", minimal(`"resources":[{"type":"card","ids":[12]}]`), "another type"},
		{"amr as a text", minimal(`"amr":"otp"`), "another type"},
		{"void keys without a position", minimal(`"void_keys":["AAAAAAAAAAA"]`), "feed"},
		{"a position without void keys", minimal(`"feed_position":"0123456789abcdefghijklmnop"`), "feed"},
		{"too many void keys", minimal(`"feed_position":"0123456789abcdefghijklmnop","feed_age_ms":0,"void_keys":["A"` + strings.Repeat(`,"A"`, maxVoidKeys) + `]`), "feed"},
		{"void_keys null", minimal(`"void_keys":null`), "another type"},
		{"no age", minimal(`"void_keys":["AAAAAAAAAAA"],"feed_position":"0123456789abcdefghijklmnop"`), "feed"},
		{"an age alone", minimal(`"feed_age_ms":1`), "feed"},
		{"an age before zero", minimal(`"feed_age_ms":-1`), "another type"},
		{"an age with a fraction", minimal(`"feed_age_ms":1.5`), "another type"},
		{"an age of years", minimal(`"feed_age_ms":99999999999`), "another type"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			token, _, err := parseToken([]byte(row.body))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v and token %v, want %q", err, token, row.want)
			}
		})
	}
}

// FuzzParseToken: whatever parseToken accepts says the same to encoding/json, and no
// restriction is lost.
func FuzzParseToken(f *testing.F) {
	for _, s := range []string{
		onBehalf, customer, minimal(`"cnf":{}`), minimal(`"x":[{"a":null}]`), `{"active":false}`, `{"active":true}`, `[]`, `{"active":true,"ACTIVE":false,"exp":1,"sub":"s","token_use":"u"}`,
		minimal(`"aud":[]`), minimal(`"source_ips":["::ffff:1.2.3.4","10.0.0.1/8"]`), minimal(`"scope":""`), `{"active":true,"a":1e400}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, follow, err := parseToken(body)
		if err != nil {
			return
		}
		var plain map[string]json.RawMessage
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("accepted, and not JSON: %v", err)
		}
		if token.Active != (string(plain["active"]) == "true") {
			t.Errorf("active %v, and the response has %s", token.Active, plain["active"])
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(token.Raw, &raw); err != nil || raw["void_keys"] != nil || raw["feed_position"] != nil {
			t.Errorf("Raw is %s: %v", token.Raw, err)
		}
		if !token.Active {
			if string(token.Raw) != inactiveRaw || follow.keys != nil {
				t.Errorf("an inactive token says %s", token.Raw)
			}
			return
		}
		if again, _, err := parseToken(token.Raw); err != nil || !slices.Equal(again.Scopes, token.Scopes) || again.Use != token.Use {
			t.Errorf("Raw is read as %v, %v", again, err)
		}
		for name, restricted := range map[string]bool{
			"source_ips": len(token.sources) > 0, "endpoints": !token.usableAt("GET", "/\x00"), "resources": len(token.Resources) > 0,
		} {
			var list []json.RawMessage
			if plain[name] != nil && json.Unmarshal(plain[name], &list) == nil && len(list) > 0 && !restricted {
				t.Errorf("%s is lost", name)
			}
		}
	})
}

// FuzzParsersAgree: parseToken accepts what the parser with encoding/json accepts, and
// reads the same.
func FuzzParsersAgree(f *testing.F) {
	for _, s := range []string{
		onBehalf, customer, ofClient, minimal(`"cnf":{}`), minimal(`"x":[{"a":null}]`), inactiveRaw, `{"active":true}`, `[]`, `"x"`, ` {"active" :false , "x": [ ] } `, `{}`, `{"active":false}x`, `{"active":false,}`,
		minimal(`"aud":[]`), minimal(`"aud":["a","b,c","d"]`), minimal(`"source_ips":["::ffff:1.2.3.4","10.0.0.1/8"]`), minimal(`"scope":""`), minimal(`"x":[1,-0,0.5e+10,-1.25E-3,1e400]`), minimal(`"x":01`), minimal(`"x":-`), minimal(`"x":1.`), minimal(`"x":1e`),
		minimal(`"x":"\u00e9\ud83d\ude00\ud800"`), minimal(`"\ud800":1,"\ufffd":2`), minimal(`"x":"\x"`), minimal(`"x":"\u12g4"`), minimal(`"jti":"a\/b","a<b":"é"`), minimal("\"x\":\"\x01\""), minimal("\"x\":\"\xff\""), minimal(`"x":"\`),
		minimal(`"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8)), minimal(`"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9)), minimal(`"x":tru`), minimal(`"x":nulll`), minimal(`"x":{"a":[{"b":1,"b":2}]}`),
		minimal(`"resources":[{"type":"card","ids":["1","2"]},{"type":"account","ids":[]}],"amr":["otp"],"act":{"sub":"a","x":[true]}`), minimal(`"endpoints":["GET /a","GET /b"],"auth_time":5`), manyNames(60, 0), manyNames(60, 3), manyNames(60, 59),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, follows, err := parseToken(body)
		want, wantFollows, wantErr := oldParseToken(body)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, and encoding/json: %v", err, wantErr)
		}
		if err != nil {
			return
		}
		same := cmp.Diff(want, got, cmp.AllowUnexported(Token{}, netip.Prefix{}), cmpopts.IgnoreFields(Token{}, "serverTime", "heardAt", "endpoints"), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }))
		if same != "" || got.endpoints != want.endpoints || !slices.Equal(follows.keys, wantFollows.keys) || follows.position != wantFollows.position || follows.age != wantFollows.age || follows.known != wantFollows.known {
			t.Errorf("(-encoding/json +parseToken)\n%s%+v\n%+v", same, wantFollows, follows)
		}
	})
}

// manyNames is a response with n unknown names, of which the last is the one with a
// number.
func manyNames(n, last int) string {
	var b strings.Builder
	for i := range n {
		if i == n-1 {
			i = last
		}
		fmt.Fprintf(&b, `"n%d":%d,`, i, i)
	}
	return minimal(strings.TrimSuffix(b.String(), ","))
}

// TestManyNames: an object with as many names as fit is read in a moment.
func TestManyNames(t *testing.T) {
	const n = 5000
	if _, _, err := parseToken([]byte(manyNames(n, n-1))); err != nil {
		t.Error(err)
	}
	if _, _, err := parseToken([]byte(manyNames(n, 40))); !errors.Is(err, errDuplicate) {
		t.Errorf("a name twice among many: %v", err)
	}
}

// TestTokensShareEndpoints: read patterns take much more memory than all the rest.
func TestTokensShareEndpoints(t *testing.T) {
	var read [2]*Token
	for i := range read {
		var err error
		if read[i], _, err = parseToken([]byte(minimal(fmt.Sprintf(`"jti":"%d","endpoints":["GET /cards/{id}","GET /users"]`, i)))); err != nil {
			t.Fatal(err)
		}
	}
	if read[0].endpoints != read[1].endpoints || &read[0].Endpoints[0] != &read[1].Endpoints[0] {
		t.Error("two tokens with equal endpoints do not share them")
	}
}

func TestParseRanges(t *testing.T) {
	token := &Token{SourceIPs: []string{"203.0.113.7", "198.51.100.9/24", "2001:db8::/48", "::ffff:192.0.2.1"}}
	var err error
	if token.sources, err = parseRanges(token.SourceIPs); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"203.0.113.7": true, "::ffff:203.0.113.7": true, "203.0.113.8": false, "198.51.100.1": true, "198.51.101.1": false,
		"2001:db8::1": true, "2001:db8:0:ffff::1%eth0": true, "2001:db8:1::1": false, "192.0.2.1": true, "::ffff:192.0.2.1": true,
	} {
		if got := token.usableFrom(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if token.usableFrom(netip.Addr{}) {
		t.Error("no address is accepted")
	}
}
