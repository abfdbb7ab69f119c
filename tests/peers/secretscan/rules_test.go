package secretscan

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

const repository = "../../.."

// rules returns the file with the rules.
func rules(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, "deploy", "secret-scanning.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// scanner returns gitleaks with these rules, as its command would make it.
func scanner(t *testing.T, rules string) *detect.Detector {
	t.Helper()
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(rules)); err != nil {
		t.Fatal(err)
	}
	var read config.ViperConfig
	if err := v.UnmarshalExact(&read); err != nil {
		t.Fatal(err)
	}
	c, err := read.Translate()
	if err != nil {
		t.Fatal(err)
	}
	d := detect.NewDetector(c)
	d.MaxDecodeDepth = 5 // the default of the command
	return d
}

// makeEach makes a credential of each kind with grantd's own code, by the rule that must
// find it.
func makeEach(t *testing.T, environment string) map[string]string {
	t.Helper()
	secret, _, _ := credential.NewSecret(environment)
	partner, _ := credential.PartnerToken.NewPrefix(environment)
	key, _ := credential.APIKey.NewPrefix(environment)
	return map[string]string{
		"grantd-client-secret": secret,
		"grantd-access-token":  withCheck(t, credential.AccessTokenPrefix(environment)),
		"grantd-partner-token": withCheck(t, partner),
		"grantd-api-key":       withCheck(t, key),
	}
}

// withCheck makes what follows the prefix of a token.
func withCheck(t *testing.T, prefix string) string {
	t.Helper()
	k := tokens.NewKeyring(prefix)
	now := time.Now()
	if err := k.Use([]store.TokenKey{k.Offer(now)}); err != nil {
		t.Fatal(err)
	}
	return k.Make(now.Add(time.Hour))
}

// around are texts in which credentials leak. %s is the credential.
var around = map[string]string{
	"alone":                  "%s",
	"a separate line":        "first\n%s\nlast",
	"an environment file":    "CLIENT_SECRET=%s\n",
	"YAML":                   "  client_secret: %s # of the cart",
	"JSON":                   `{"token":"%s","expires_in":3600}`,
	"JSON in a JSON string":  `{"body":"{\"token\":\"%s\"}"}`,
	"a line break in a text": `"first\n%s\nlast"`,
	"a header":               "Authorization: Bearer %s\r\n",
	"a command":              "curl -u 'cart:%s' https://auth.example.com/oauth/token",
	"a form":                 "grant_type=client_credentials&client_secret=%s&scope=a",
	"an encoded form":        "body=client_secret%%3D%s%%26scope%%3Da",
	"a URL":                  "https://cart:%s@auth.example.com/",
	"a sentence":             "The secret (%s) is in the vault.",
	"the end of a sentence":  "The secret is %s.",
	"backquotes":             "use `%s` there",
}

func TestFindsCredentials(t *testing.T) {
	d := scanner(t, rules(t))
	for _, environment := range []string{"sandbox", "live"} {
		for rule, value := range makeEach(t, environment) {
			for name, text := range around {
				expect(t, d, rule+" in "+name, fmt.Sprintf(text, value), rule)
			}
			expect(t, d, rule+" twice", value+" "+value[:len(value)-1]+otherEnd(value), rule, rule)
			expect(t, d, rule+" in a Basic header", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("cart:"+value)), rule)
		}
	}
}

// otherEnd returns a last character that the value does not have.
func otherEnd(value string) string {
	if strings.HasSuffix(value, "A") {
		return "E"
	}
	return "A"
}

// Each of many is found: none is random in a way that the rules do not expect.
func TestFindsEveryCredential(t *testing.T) {
	d := scanner(t, rules(t))
	for range 500 {
		for _, environment := range []string{"sandbox", "live"} {
			for rule, value := range makeEach(t, environment) {
				expect(t, d, rule+" "+value, value, rule)
			}
		}
	}
}

func TestFindsNoLookAlikes(t *testing.T) {
	d := scanner(t, rules(t))
	for rule, value := range makeEach(t, "live") {
		cut := strings.LastIndex(value, "_live_") + len("_live_")
		prefix, rest := value[:cut], value[cut:]
		body := value[len(value)-43:]
		for name, text := range map[string]string{
			"too short":                value[:len(value)-1],
			"cut off":                  value[:len(value)-20] + "…",
			"too long":                 value + "x",
			"longer by a hyphen":       value + "-",
			"no environment":           prefix[:3] + rest,
			"another environment":      prefix[:3] + "staging_" + rest,
			"capitals":                 strings.ToUpper(prefix) + rest,
			"inside a name":            "settin" + value,
			"another kind":             "gx" + value[2:],
			"a client id":              credential.NewClientID(),
			"a verification token":     credential.NewVerificationToken("live", 0),
			"an ellipsis":              prefix + "…",
			"a placeholder":            prefix + strings.Repeat("x", len(rest)-1) + "A",
			"a counted placeholder":    prefix + (strings.Repeat("0123456789", 6))[:len(rest)-1] + "0",
			"an impossible end":        value[:len(value)-1] + "B",
			"a character of base64":    value[:len(value)-10] + "+" + value[len(value)-9:],
			"prose about the form":     "tokens begin with " + prefix + " and have 43 more characters",
			"a regular expression":     prefix + `[0-9A-Za-z]{8}_[0-9A-Za-z_-]{43}`,
			"only the random part":     body,
			"a name of Terraform":      "logs_live_customer_this_is_a_long_identifier_of_some_module_A",
			"the example of the guide": prefix + rest[:len(rest)-43] + "JvD5o0VSW8pBhUQyfV4nCkeJX0sl2oWdyx1R7cTgaZM",
		} {
			expect(t, d, rule+": "+name, "x = "+text+"\n")
		}
		if len(rest) > 43 {
			for name, id := range map[string]string{"id too short": "Ab3dEf7", "id too long": "Ab3dEf7h9", "id with a hyphen": "Ab3-Ef7h", "no id": ""} {
				expect(t, d, rule+": "+name, prefix+id+"_"+body)
			}
		}
	}
}

// OPERATING.md says how to add the rules that gitleaks has for other programs.
func TestTogetherWithOtherRules(t *testing.T) {
	const title = "title = \"grantd\"\n"
	text := rules(t)
	if strings.Count(text, title) != 1 {
		t.Fatal("the file has no title")
	}
	d := scanner(t, strings.Replace(text, title, title+"[extend]\nuseDefault = true\n", 1))
	found := map[string]bool{}
	text = "https://hooks.slack.com/services/T0" + "1ABCDEFG/B0" + "1ABCDEFG/" + "aZ3bY4cX5dW6eV7fU8gT9hS0\n"
	for _, value := range makeEach(t, "live") {
		text += value + "\n"
	}
	for _, f := range d.DetectString(text) {
		found[f.RuleID] = true
	}
	for _, rule := range []string{"grantd-client-secret", "grantd-access-token", "grantd-partner-token", "grantd-api-key", "slack-webhook-url"} {
		if !found[rule] {
			t.Errorf("%s finds nothing among %v", rule, found)
		}
	}
}

// The repository holds no credential: whatever has the form of one in its documents
// and tests is an example that the rules allow.
func TestRepository(t *testing.T) {
	d := scanner(t, rules(t))
	out, err := exec.Command("git", "-C", repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(files) < 500 {
		t.Fatalf("only %d files", len(files))
	}
	for _, file := range files {
		b, err := os.ReadFile(filepath.Join(repository, file))
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.DetectString(string(b)) {
			t.Errorf("%s:%d: %s", file, f.StartLine+1, f.RuleID)
		}
	}
}

// expect checks which rules find something in the text, and that they find the whole
// credential.
func expect(t *testing.T, d *detect.Detector, name, text string, rules ...string) {
	t.Helper()
	found := d.DetectString(text)
	var got []string
	for _, f := range found {
		got = append(got, f.RuleID)
		plain, err := url.QueryUnescape(f.Secret)
		if err != nil || plain != f.Secret || !strings.HasPrefix(f.Secret, "g") {
			t.Errorf("%s: found %q", name, f.Secret)
		}
	}
	if strings.Join(got, " ") != strings.Join(rules, " ") {
		t.Errorf("%s: found by %v, want %v", name, got, rules)
	}
}
