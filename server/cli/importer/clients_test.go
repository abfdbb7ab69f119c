package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/imports"
)

const (
	plainSecret = "rXDV5m_XkOI9XpEou_w-yW5A_Dby_EwHNg-5sHLnqnE"
	bcryptHash  = "$2a$10$mKLOOJMBI/daJ6G6ndGmlOssMRsdXi5BcCICTVphb7LYHhxtjYULe"
	pbkdf2Hash  = "$pbkdf2-sha256$i=25000,l=16$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"
)

func hexOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// lineRow is a line and what it becomes: the members that are sent, or an error.
type lineRow struct {
	name, line string
	sent       string // JSON without null and empty members
	notes      []string
	err        string
}

func runLines(t *testing.T, format string, rows []lineRow) {
	t.Helper()
	kind, ok := Clients(format)
	if !ok {
		t.Fatalf("there is no format %s", format)
	}
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
			c, notes, err := kind.Parse([]byte(row.line))
			if row.err != "" {
				if err == nil || err.Error() != row.err {
					t.Errorf("error %v, want %s", err, row.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := sentMembers(t, c); got != row.sent {
				t.Errorf("sent %s\nwant %s", got, row.sent)
			}
			if !slices.Equal(notes, row.notes) {
				t.Errorf("notes %q, want %q", notes, row.notes)
			}
		})
	}
}

func sentMembers(t *testing.T, c clients.ImportLine) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range all {
		if value == nil || value == "" {
			delete(all, name)
		}
	}
	b, _ = json.Marshal(all)
	return string(b)
}

func TestJSONLClients(t *testing.T) {
	runLines(t, "jsonl", []lineRow{
		{name: "few members", line: `{"client_id":"a","secret_hash":"` + bcryptHash + `"}`,
			sent: `{"client_id":"a","secret_hash":"` + bcryptHash + `"}`, notes: []string{noteBcrypt}},
		{name: "all members", line: `{"client_id":"a","org_id":"o","name":"A","scope":"x y","default_scope":"x","token_ttl":600,"issue_limit":"600/1m","auth_methods":["client_secret_post"],"source_ips":["::1"],"bind_source_ip":true,"resources":["https://a"],"token_uses":["client"],"enforces":["endpoints"],"resource":"https://b","secret_hashes":["` + pbkdf2Hash + `","` + hexOf("x") + `"]}`,
			sent:  `{"auth_methods":["client_secret_post"],"bind_source_ip":true,"client_id":"a","default_scope":"x","enforces":["endpoints"],"issue_limit":"600/1m","name":"A","org_id":"o","resource":"https://b","resources":["https://a"],"scope":"x y","secret_hashes":["` + pbkdf2Hash + `","` + hexOf("x") + `"],"source_ips":["::1"],"token_ttl":600,"token_uses":["client"]}`,
			notes: []string{noteSHA256}},
		{name: "no id", line: `{"secret_hash":"` + bcryptHash + `"}`, err: "is missing (client_id)"},
		{name: "no hash", line: `{"client_id":"a"}`, err: "is missing (secret_hash): a client that is imported keeps its secret"},
		{name: "hash is no hash", line: `{"client_id":"a","secret_hash":"s3cret"}`, err: "is not of a kind that is accepted: it must be bcrypt ($2a$, $2b$, $2y$), $pbkdf2-sha256$, $pbkdf2-sha512$, $argon2id$, or SHA-256 as 64 hex digits (secret_hash)"},
		{name: "second hash is too cheap", line: `{"client_id":"a","secret_hashes":["` + bcryptHash + `","$2b$04$` + bcryptHash[7:] + `"]}`, err: "is bcrypt of a cost that is not accepted: it must be 10 to 12 (secret_hashes)"},
		{name: "plain secret", line: `{"client_id":"a","client_secret":"x"}`, err: "has an unknown member (client_secret)"},
		{name: "number for text", line: `{"client_id":7}`, err: "must be a string (client_id)"},
		{name: "text for number", line: `{"client_id":"a","token_ttl":"1h"}`, err: "must be a whole number (token_ttl)"},
		{name: "text for list", line: `{"client_id":"a","source_ips":"::1"}`, err: "must be a list of strings (source_ips)"},
		{name: "repeated", line: `{"client_id":"a","client_id":"a"}`, err: "is repeated (client_id)"},
		{name: "no JSON", line: `client_id=a`, err: "must be one JSON object on one line: invalid character 'c' looking for beginning of value"},
	})
}

func TestDoorkeeperClients(t *testing.T) {
	line := func(more string) string { return `{"uid":"a","scopes":"x y",` + more + `}` }
	const sent = `"client_id":"a",`
	runLines(t, "doorkeeper", []lineRow{
		{name: "as it is exported", line: `{"uid":"a","secret":"` + plainSecret + `","name":"A","scopes":"x y","confidential":true,"redirect_uri":"urn:x","secret_strategy":"Doorkeeper::SecretStoring::Plain","default_scopes":"x z","expires_in":7200}`,
			sent: `{` + sent + `"default_scope":"x","name":"A","scope":"x y","secret_hash":"` + hexOf(plainSecret) + `","token_ttl":7200}`, notes: []string{noteSHA256, noteRedirect}},
		{name: "hashed", line: line(`"secret":"` + hexOf("x") + `","secret_strategy":"Doorkeeper::SecretStoring::Sha256Hash","expires_in":0,"id":1,"created_at":"now","redirect_uri":null`),
			sent: `{` + sent + `"scope":"x y","secret_hash":"` + hexOf("x") + `"}`, notes: []string{noteSHA256}},
		{name: "bcrypt", line: line(`"secret":"` + bcryptHash + `","secret_strategy":"Doorkeeper::SecretStoring::BCrypt"`),
			sent: `{` + sent + `"scope":"x y","secret_hash":"` + bcryptHash + `"}`, notes: []string{noteBcrypt}},
		{name: "bcrypt without a strategy", line: line(`"secret":"` + bcryptHash + `"`),
			sent: `{` + sent + `"scope":"x y","secret_hash":"` + bcryptHash + `"}`, notes: []string{noteBcrypt}},
		{name: "plain without a strategy", line: line(`"secret":"` + plainSecret + `","confidential":"t"`),
			sent: `{` + sent + `"scope":"x y","secret_hash":"` + hexOf(plainSecret) + `"}`, notes: []string{noteSHA256}},
		{name: "plain hex", line: line(`"secret":"` + hexOf("x") + `","secret_strategy":"plain"`),
			sent: `{` + sent + `"scope":"x y","secret_hash":"` + hexOf(hexOf("x")) + `"}`, notes: []string{noteSHA256}},
		{name: "no uid", line: `{"secret":"` + plainSecret + `"}`, err: "is missing (uid)"},
		{name: "no secret", line: line(`"secret":""`), err: "is missing (secret)"},
		{name: "no scopes", line: `{"uid":"a","scopes":" ","secret":"` + plainSecret + `"}`, err: errNoScopes.Error()},
		{name: "public", line: line(`"secret":"` + plainSecret + `","confidential":0`), err: errPublic.Error()},
		{name: "confidential is no truth value", line: line(`"confidential":"maybe"`), err: "must be true or false (confidential)"},
		{name: "ambiguous", line: line(`"secret":"` + hexOf("x") + `"`), err: errNoStrategy.Error()},
		{name: "plain among hashes", line: line(`"secret":"` + plainSecret + `","secret_strategy":"sha256"`), err: errNotAsStored.Error()},
		{name: "SHA-256 among bcrypt", line: line(`"secret":"` + hexOf("x") + `","secret_strategy":"bcrypt"`), err: errNotAsStored.Error()},
		{name: "bcrypt among plain", line: line(`"secret":"` + bcryptHash + `","secret_strategy":"plain"`), err: errHashNotPlain.Error()},
		{name: "thought up", line: line(`"secret":"xyz"`), err: errPlainSecret.Error()},
		{name: "a sentence", line: line(`"secret":"correct horse battery staple correct"`), err: errPlainSecret.Error()},
		{name: "another strategy", line: line(`"secret":"` + plainSecret + `","secret_strategy":"Vault"`), err: errStrategy.Error()},
		{name: "bcrypt too costly", line: line(`"secret":"$2a$14$` + bcryptHash[7:] + `"`), err: "is bcrypt of a cost that is not accepted: it must be 10 to 12 (secret)"},
	})
}

func TestHydraClients(t *testing.T) {
	line := func(more string) string {
		return `{"id":"a","client_secret":"` + pbkdf2Hash + `","client_name":"A","scope":"x y",` + more + `}`
	}
	const sent = `"client_id":"a","name":"A",`
	const hash = `"scope":"x y","secret_hash":"` + pbkdf2Hash + `"`
	const basic = `{"auth_methods":["client_secret_basic"],`
	runLines(t, "hydra", []lineRow{
		{name: "lists as text", line: line(`"grant_types":"[\"client_credentials\"]","token_endpoint_auth_method":"client_secret_basic","audience":"[]","redirect_uris":"","access_token_strategy":"","client_credentials_grant_access_token_lifespan":null,"nid":"x"`),
			sent: basic + sent + hash + `}`},
		{name: "lists as JSON", line: line(`"grant_types":["client_credentials","authorization_code"],"token_endpoint_auth_method":"client_secret_post","audience":["https://api"],"redirect_uris":["https://x"],"access_token_strategy":"jwt","client_credentials_grant_access_token_lifespan":1800000000000`),
			sent:  `{"auth_methods":["client_secret_post"],` + sent + `"resources":["https://api"],` + hash + `,"token_ttl":1800}`,
			notes: []string{noteGrants, noteRedirect, noteAudience, noteJWT}},
		{name: "client_id for id", line: `{"client_id":"a","client_name":"A","scope":"x y","client_secret":"` + pbkdf2Hash + `","grant_types":["client_credentials"]}`, sent: basic + sent + hash + `}`},
		{name: "no id", line: `{"client_secret":"x"}`, err: "is missing (id)"},
		{name: "public", line: line(`"grant_types":["client_credentials"],"token_endpoint_auth_method":"none"`), err: errHydraPublic.Error()},
		{name: "private_key_jwt", line: line(`"grant_types":["client_credentials"],"token_endpoint_auth_method":"private_key_jwt"`), err: errHydraMethod.Error()},
		{name: "no grant_types", line: line(`"grant_types":[]`), err: errHydraGrant.Error()},
		{name: "other grants", line: line(`"grant_types":"[\"authorization_code\"]"`), err: errHydraGrant.Error()},
		{name: "from the API", line: `{"client_id":"a","grant_types":["client_credentials"]}`, err: errHydraSecret.Error()},
		{name: "grant_types is no list", line: line(`"grant_types":"client_credentials"`), err: "must be a list of strings (grant_types)"},
		{name: "iterations", line: `{"id":"a","grant_types":["client_credentials"],"client_secret":"$pbkdf2-sha256$i=1000,l=16$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"}`, err: "is PBKDF2 of a cost that is not accepted: it must have 25000 to 1000000 iterations (client_secret)"},
	})
}

// A fault that the server finds is named as the file names it.
func TestMembersOfOtherFormats(t *testing.T) {
	for format, want := range map[string][2]string{"jsonl": {"scope", "client_id"}, "doorkeeper": {"scopes", "uid"}, "hydra": {"scope", "id"}} {
		kind, _ := Clients(format)
		if got := [2]string{kind.member("scope"), kind.member("client_id")}; got != want || kind.Key != want[1] {
			t.Errorf("%s: %v", format, got)
		}
	}
	if _, ok := Clients("csv"); ok || len(ClientFormats) != 3 {
		t.Error("the formats are others")
	}
}

// What is wrong with lines of each format, as it is printed.
func TestBadClientLines(t *testing.T) {
	var printed strings.Builder
	for _, format := range ClientFormats {
		kind, _ := Clients(format)
		i := Importer[clients.ImportLine]{
			Kind: kind, Source: Source{format, badClients[format]}, DryRun: true,
			Call: func(_ context.Context, part []clients.ImportLine, _ bool, _ Notify) (imports.Response, error) {
				refused := imports.Result{Result: imports.Refused, Error: "scope is unknown", Field: "scope"}
				return imports.Response{Results: slices.Repeat([]imports.Result{refused}, len(part))}, nil
			},
			Notify: func(format string, args ...any) { fmt.Fprintf(&printed, format+"\n", args...) },
		}
		_, err := i.Run(t.Context())
		fmt.Fprintf(&printed, "%v\n\n", err)
	}
	compareGolden(t, "bad-clients.txt", printed.String())
}

// badClients are lines with faults, by format.
var badClients = map[string]func() (io.ReadCloser, error){
	"jsonl": textSource(strings.Join([]string{
		`{"client_id":"a","scope":"x","secret_hash":"` + bcryptHash + `"}`,
		`{"client_id":"a","scope":"x","secret_hash":"` + bcryptHash + `"}`,
		`{"client_id":"b"}`, `{"client_id":"c","client_secret":"x"}`, `{"client_id":"d","secret_hash":"{noop}x"}`,
		`{"client_id":"e","secret_hash":"{pbkdf2}00"}`, `{"client_id":"f","secret_hash":"5f4dcc3b5aa765d61d8327deb882cf99"}`,
		`{"client_id":"g","secret_hash":"$2b$12$short"}`, `{"client_id":"h","secret_hash":"$2b$13$` + bcryptHash[7:] + `"}`,
		`{"client_id":"i","secret_hash":"$pbkdf2-sha1$25000$a$b"}`, `{"client_id":"j","secret_hash":"$pbkdf2-sha256$x$a$b"}`,
		`{"client_id":"k","secret_hash":"$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"}`,
		`{"client_id":"l","secret_hash":"$argon2i$v=19$m=19456,t=2,p=1$a$b"}`, `{"client_id":"m","secret_hash":"$argon2id$v=19$m=1$a$b"}`,
		`{"client_id":"n","secret_hash":"$argon2id$v=19$m=16384,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"}`,
		`{"client_id":"o","secret_hash":"$pbkdf2-sha256$25000$MDEy$MDEy"}`, `{"client_id":"p","secret_hash":"` + strings.Repeat("a", 600) + `"}`,
		`{"client_id":"q","secret_hash":"x"}`,
	}, "\n")).Open,
	"doorkeeper": textSource(strings.Join([]string{
		`{"uid":"a","scopes":"x","secret":"` + plainSecret + `","redirect_uri":"urn:x"}`, `{"secret":"x"}`, `{"uid":"b","secret":"x"}`,
		`{"uid":"c","secret":"x","confidential":false}`, `{"uid":"d","scopes":"x"}`, `{"uid":"e","scopes":"x","secret":"` + hexOf("x") + `"}`,
		`{"uid":"f","scopes":"x","secret":"x","secret_strategy":"sha256"}`, `{"uid":"g","scopes":"x","secret":"x","secret_strategy":"rot13"}`,
		`{"uid":"h","scopes":"x","secret":"xyz","secret_strategy":"plain"}`, `{"uid":"i","scopes":"x","secret":"` + bcryptHash + `","secret_strategy":"plain"}`,
		`{"uid":"j","scopes":"x","secret":"x","confidential":"no"}`, `{"uid":7}`,
	}, "\n")).Open,
	"hydra": textSource(strings.Join([]string{
		`{"id":"a","client_secret":"` + pbkdf2Hash + `","grant_types":["client_credentials","implicit"]}`, `{}`,
		`{"id":"b","token_endpoint_auth_method":"none"}`, `{"id":"c","token_endpoint_auth_method":"private_key_jwt"}`,
		`{"id":"d","grant_types":"[\"implicit\"]"}`, `{"id":"e","grant_types":["client_credentials"]}`, `{"id":"f","grant_types":"x"}`,
		`{"id":"g","client_credentials_grant_access_token_lifespan":"1h"}`,
	}, "\n")).Open,
}

func TestNotes(t *testing.T) {
	n := notes{source: "f", noun: "client"}
	n.add(3, []string{"a", "b"})
	n.add(4, []string{"b"})
	var printed []string
	n.report(func(format string, args ...any) { printed = append(printed, fmt.Sprintf(format, args...)) })
	if want := []string{"note: f:3: a (1 client in all)", "note: f:3: b (2 clients in all)"}; !slices.Equal(printed, want) {
		t.Errorf("%q", printed)
	}
}

// No line makes a parser panic, no error repeats what may be a secret, and what is
// accepted has an id and a hash.
func FuzzParseClients(f *testing.F) {
	f.Add(0, `{"client_id":"a","secret_hash":"`+bcryptHash+`"}`)
	f.Add(1, `{"uid":"a","scopes":"x","secret":"`+plainSecret+`"}`)
	f.Add(2, `{"id":"a","grant_types":"[\"client_credentials\"]","client_secret":"`+pbkdf2Hash+`"}`)
	f.Add(2, `{"rXDV5m_XkOI9XpEou_w-yW5A_Dby_EwHNg-5sHLnqnE":1}`)
	f.Fuzz(func(t *testing.T, n int, line string) {
		kind, _ := Clients(ClientFormats[max(0, n%3)])
		c, _, err := kind.Parse([]byte(line))
		switch {
		case err == nil && (c.ClientID == "" || c.SecretHash == "" && c.SecretHashes == nil):
			t.Errorf("accepted: %+v", c)
		case err != nil && !errors.Is(err, errNoObject) && strings.Contains(err.Error(), plainSecret):
			t.Errorf("the error repeats a secret: %v", err)
		}
	})
}
