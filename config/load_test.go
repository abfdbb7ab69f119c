package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(variables ...string) func() []string {
	return func() []string { return variables }
}

func TestNothingGivenIsTheDefaults(t *testing.T) {
	for rule, opts := range map[string]LoadOptions{
		"no layer":          {},
		"empty file":        {File: written(t, "")},
		"environment alone": {Env: env("HOME=/root", "PATH=")},
	} {
		got, warnings, err := Load(opts)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %v", rule, warnings, err)
		}
		if diff := cmp.Diff(Defaults(), got); diff != "" {
			t.Errorf("%s: %s", rule, diff)
		}
	}
}

func TestPrecedence(t *testing.T) {
	opts := LoadOptions{File: written(t, "token: {ttl: 2h}\n")}
	check := func(want time.Duration) {
		t.Helper()
		cfg, _, err := Load(opts)
		if err != nil || cfg.Token.TTL != want || cfg.Token.Prefix != "default" {
			t.Errorf("token %+v, error %v, want ttl %v", cfg.Token, err, want)
		}
	}
	check(2 * time.Hour)
	opts.Env = env("GRANTD_TOKEN_TTL=3h")
	check(3 * time.Hour)
	opts.Overrides = map[string]string{"token.ttl": "4h"}
	check(4 * time.Hour)
	opts.Env, opts.File = nil, ""
	check(4 * time.Hour)
}

func TestEveryKeyHasAVariableAndAFlag(t *testing.T) {
	samples := map[kind]struct {
		text string
		want any
	}{
		kindText:     {"some=text", "some=text"},
		kindNumber:   {"42", 42},
		kindDuration: {"1d2h", 26 * time.Hour},
		kindList:     {"a, b,c", []string{"a", "b", "c"}},
		kindAcks:     {"7", ReplicaAcks("7")},
		kindPolicies: {"a scope=x y, b token_use=key", []Policy{{"a", "x y", ""}, {"b", "", "key"}}},
	}
	seen := map[string]bool{}
	for _, k := range allKeys() {
		sample := samples[k.kind]
		if defaults := Defaults(); k.kind == kindSwitch {
			on := !k.in(&defaults).Bool()
			sample.text, sample.want = map[bool]string{true: "true", false: "FALSE"}[on], on
		}
		if seen[k.env()] {
			t.Errorf("two keys share %s", k.env())
		}
		seen[k.env()] = true

		byEnv, byFlag := newLoader(), newLoader()
		warnings := byEnv.addEnv([]string{k.env() + "=" + sample.text})
		byFlag.addOverrides(map[string]string{k.path: sample.text})
		for layer, l := range map[string]*loader{k.env(): byEnv, "flag " + k.path: byFlag} {
			cfg, err := l.merged()
			if err != nil || len(l.faults) > 0 || len(warnings) > 0 {
				t.Errorf("%s: %v, %v, %v", layer, err, l.faults, warnings)
			}
			if diff := cmp.Diff(sample.want, k.in(&cfg).Interface()); diff != "" {
				t.Errorf("%s: %s", layer, diff)
			}
		}
	}
	if !seen["GRANTD_STORE_REDIS_KEY_PREFIX"] || !seen["GRANTD_LIMITS_ISSUE_PER_CLIENT_PER"] {
		t.Error("a variable has an unexpected name")
	}
}

func TestEmptyVariableIsTheEmptyValue(t *testing.T) {
	cfg, _, err := Load(LoadOptions{Env: env("GRANTD_TOKEN_PREFIX=", "GRANTD_METRICS_LISTEN=", "GRANTD_PUBLIC_TRUSTED_PROXIES=")})
	if err != nil || cfg.Token.Prefix != "" || cfg.Metrics.Listen != "" || len(cfg.Public.TrustedProxies) != 0 {
		t.Errorf("%+v, %v", cfg, err)
	}
	_, _, err = Load(LoadOptions{Env: env("GRANTD_CACHE_ENABLED=")})
	if want := "config: cache.enabled: must be true or false, without quotes (GRANTD_CACHE_ENABLED)"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestUnknownVariablesOnlyWarn(t *testing.T) {
	cfg, warnings, err := Load(LoadOptions{Env: env(
		"GRANTD_TOKEN=x", "GRANTD_STORE_REDIS=", "GRANTD_NONSENSE=1", "GRANTD_token_ttl=2h",
		"GRANTD_ADMIN_TOKEN=secret", "GRANTD_CONFIG=a.yaml", "OTHER=1",
	)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GRANTD_NONSENSE is not a setting and is ignored",
		"GRANTD_STORE_REDIS names a section and is ignored; set its keys one by one, such as GRANTD_STORE_REDIS_MODE",
		"GRANTD_TOKEN names a section and is ignored; set its keys one by one, such as GRANTD_TOKEN_TTL",
		"GRANTD_token_ttl is not a setting and is ignored",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Defaults(), cfg); diff != "" {
		t.Errorf("a section was blanked: %s", diff)
	}
}

func TestAllFaultsTogether(t *testing.T) {
	file := written(t, "issuer: 5\nenvironment: live\nlog: {levle: info}\ncustomers: {sender: log}\n")
	_, warnings, err := Load(LoadOptions{
		File:      file,
		Env:       env("GRANTD_TOKEN_TTL=3600", "GRANTD_PUBLIC_TRUSTED_PROXIES=10.0.0.1,,", "GRANTD_LOG_FORMAT=xml", "GRANTD_X=1"),
		Overrides: map[string]string{"public.listen": "0.0.0.0:80", "public.lisen": "x"},
	})
	want := strings.ReplaceAll(`config: issuer: must be text; put the value in quotes (F:1)
config: log.levle: unknown key, did you mean level?; the known keys here are level, format (F:3)
config: public.trusted_proxies: entry 2 is empty; separate the entries by single commas (GRANTD_PUBLIC_TRUSTED_PROXIES)
config: token.ttl: "3600" has no unit; write a number with a unit, such as 90d, 24h, 1h30m, 30s or 100ms (GRANTD_TOKEN_TTL)
config: public.lisen: unknown key (flag)
config: public.listen: must not be open to other machines without TLS: set public.tls.cert_file and public.tls.key_file, or public.behind_tls_proxy if a proxy in front terminates TLS (flag)
config: customers.sender: must be none, webhook or twilio in live, because codes must not reach the log (F:4)
config: log.format: must be json or text, not "xml" (GRANTD_LOG_FORMAT)`, "F:", file+":")
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error %v, want Faults", err)
	}
	if diff := cmp.Diff(want, faults.Error()); diff != "" {
		t.Error(diff)
	}
	if len(warnings) != 1 {
		t.Errorf("warnings %q, want one", warnings)
	}
}

func TestUnreadableFiles(t *testing.T) {
	if _, _, err := Load(LoadOptions{File: t.TempDir() + "/none.yaml"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: error %v", err)
	}
	if _, _, err := Load(LoadOptions{File: t.TempDir()}); err == nil {
		t.Error("a directory was read")
	}
	atMost := "#" + strings.Repeat("x", maxFileBytes-1)
	if _, _, err := Load(LoadOptions{File: written(t, atMost)}); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	if _, _, err := Load(LoadOptions{File: written(t, atMost+"x")}); err == nil || !strings.Contains(err.Error(), "is larger than 1024 KiB") {
		t.Errorf("more than 1 MiB: error %v", err)
	}
}

func TestValuesThatAreNotUTF8(t *testing.T) {
	_, _, err := Load(LoadOptions{Env: env("GRANTD_CUSTOMERS_PRODUCT_NAME=\xff")})
	if err == nil || !strings.Contains(err.Error(), "must be UTF-8 text") {
		t.Errorf("error %v", err)
	}
}

// FuzzLoad: a configuration that loads can be printed and loaded again.
func FuzzLoad(f *testing.F) {
	for _, folder := range []string{"testdata/good", "testdata/bad"} {
		names, err := os.ReadDir(folder)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(folder + "/" + name.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(Example()))
	f.Add([]byte("public: &a {trusted_proxies: &b [*b], tls: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, _, err := Load(LoadOptions{File: written(t, string(data))})
		if err != nil {
			return
		}
		again, _, err := Load(LoadOptions{File: written(t, cfg.YAML())})
		if err != nil {
			t.Fatalf("%v\n%s", err, cfg.YAML())
		}
		if diff := cmp.Diff(cfg, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
