package config

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/grantd/grantd/scopes"
)

const (
	// A blocking read of the feed lasts up to 400 ms, so an idle feed would
	// exceed a lower staleness.
	minStaleness, maxStaleness = 500 * time.Millisecond, 10 * time.Second
	maxCacheEntries            = 10_000_000
	minRetention, maxRetention = day, 3650 * day
	// Redis drops events in blocks of up to 100.
	minAuditEvents, maxAuditEvents = 100, 100_000_000
	maxDrain                       = 5 * time.Minute
	maxSocketPath                  = 107 // sockaddr_un has 108 bytes, including a NUL
	maxProductName, maxKeyPrefix   = 64, 64
)

var (
	tokenPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]{0,32}$`)
	sixDigits   = regexp.MustCompile(`^([0-9]{6})?$`)
)

// Validate returns every fault of the configuration. It checks only the values:
// it opens no file and binds no address. Test the length before you use the
// result as an error, because empty Faults are not a nil error.
func (c Config) Validate() Faults {
	var v validator
	v.oneOf("environment", c.Environment, "sandbox", "live")
	v.issuer(c)
	v.listeners(c)
	v.store(c)
	v.tokens(c)
	v.scopes(c)
	v.within("shutdown.drain", c.Shutdown.Drain, 0, maxDrain)
	v.limits(c.Limits)
	v.stream(c)
	v.forwardAuth(c)
	v.customers(c)
	v.notices(c)
	v.audit(c)
	v.traces(c)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "json", "text")
	return v.Faults
}

// validator collects faults. Each method has the rules of one part.
type validator struct{ Faults }

func (v *validator) issuer(c Config) {
	const path = "issuer"
	if c.Issuer == "" {
		if c.Live() {
			v.add(path, "must be set in live, to the https URL by which clients know this server")
		}
		return
	}
	if problem := urlProblem(c.Issuer); problem != "" {
		v.add(path, "%s", problem)
	} else if strings.ContainsAny(c.Issuer, "?#") {
		v.add(path, "must not have a query or a fragment (RFC 8414 section 2)")
	} else if !cleanURLPath(c.Issuer) {
		v.add(path, "must not end with / or contain // or .., because clients compare it character by character")
	} else if c.Live() && !isHTTPS(c.Issuer) {
		v.add(path, "must be an https URL in live")
	}
}

func (v *validator) tokens(c Config) {
	v.within("token.ttl", c.Token.TTL, scopes.MinTokenLife, scopes.MaxTokenLife)
	if !tokenPrefix.MatchString(c.Token.Prefix) {
		v.add("token.prefix", "must be default, empty, or at most 32 of A-Z a-z 0-9 _ -")
	}
	if strings.HasPrefix(c.Token.Prefix, "gs_") || strings.HasPrefix(c.Token.Prefix, "gp_") {
		v.add("token.prefix", "must not begin with gs_ or gp_, which mark client secrets and partner tokens")
	}
	if c.Cache.MaxEntries < 0 || c.Cache.MaxEntries > maxCacheEntries {
		v.add("cache.max_entries", "must be from 0 to %d", maxCacheEntries)
	}
	v.within("cache.max_staleness", c.Cache.MaxStaleness, minStaleness, maxStaleness)
}

func (v *validator) scopes(c Config) {
	const path = "scopes.preset"
	names := scopes.Presets()
	switch preset := c.Scopes.Preset; {
	case preset == "":
	case !slices.Contains(names, preset):
		v.add(path, "must be empty, %s, not %s", orList(names), quote(preset))
	case c.Scopes.File != "":
		v.add(path, "must be empty, because scopes.file is set: a catalog comes from one of them")
	}
}

func (v *validator) limits(l Limits) {
	v.limit("limits.auth_failures_per_client_and_address", l.AuthFailuresPerClientAndAddress)
	v.limit("limits.auth_failures_per_address", l.AuthFailuresPerAddress)
	v.limit("limits.auth_failures_per_client", l.AuthFailuresPerClient)
	v.quota("limits.issue_per_client", l.IssuePerClient)
	v.quota("limits.revocations_per_client", l.RevocationsPerClient)
	v.quota("limits.customer_tokens_per_client", l.CustomerTokensPerClient)
	v.quota("limits.on_behalf_tokens_per_partner", l.OnBehalfTokensPerPartner)
	v.quota("limits.key_changes_per_client", l.KeyChangesPerClient)
	v.limit("limits.codes_per_phone", l.CodesPerPhone)
	v.limit("limits.codes_per_customer", l.CodesPerCustomer)
	v.limit("limits.codes_per_client", l.CodesPerClient)
	v.limit("limits.codes_per_org", l.CodesPerOrg)
}

// maxReaders is the highest bound of streams: each one takes some 40 KiB.
const maxReaders = 100_000

func (v *validator) stream(c Config) {
	if n := c.Stream.MaxReaders; n < 1 || n > maxReaders {
		v.add("stream.max_readers", "must be between 1 and %d", maxReaders)
	}
	if n := c.Stream.MaxReadersPerClient; n < 1 || n > maxReaders {
		v.add("stream.max_readers_per_client", "must be between 1 and %d", maxReaders)
	}
}

func (v *validator) quota(path string, q Quota) {
	v.limit(path, q.Limit)
	v.oneOf(path+".mode", q.Mode, modeEnforce, modeLog)
}

func (v *validator) limit(path string, l Limit) {
	if l.Count < 0 {
		v.add(path+".count", "must not be negative; 0 switches the limit off")
	}
	if l.Per < 0 || l.Per == 0 && l.Count > 0 {
		v.add(path+".per", "must be longer than 0; to switch the limit off, set count to 0")
	}
}

func (v *validator) customers(c Config) {
	cust := c.Customers
	if !printable(cust.ProductName, maxProductName) {
		v.add("customers.product_name", "must be one line of 1 to %d bytes", maxProductName)
	}
	if !sixDigits.MatchString(cust.SandboxCode) {
		v.add("customers.sandbox_code", `must be empty or six digits, such as "000001"`)
	} else if c.Live() && cust.SandboxCode != "" {
		v.add("customers.sandbox_code", "must be empty in live, because it would open every customer's account")
	}
	v.oneOf("customers.sender", c.CodeSender(), SenderNone, SenderLog, SenderWebhook, SenderTwilio)
	if c.Live() && cust.Sender == SenderLog {
		v.add("customers.sender", "must be none, webhook or twilio in live, because codes must not reach the log")
	}
	v.endpoint("customers.webhook.url", cust.Webhook.URL, c.Live())
	v.endpoint("customers.twilio.base_url", cust.Twilio.BaseURL, c.Live())
	v.senderNeeds(cust)
}

func (v *validator) notices(c Config) {
	webhook := c.Notices.Webhook
	v.endpoint("notices.webhook.url", webhook.URL, c.Live())
	if webhook.URL != "" {
		v.needed("notices.webhook.secret_file", webhook.SecretFile, "notices.webhook.url is set")
	}
	if webhook.SecretFile != "" {
		v.needed("notices.webhook.url", webhook.URL, "notices.webhook.secret_file is set")
	}
}

func (v *validator) senderNeeds(c Customers) {
	switch c.Sender {
	case SenderWebhook:
		v.needed("customers.webhook.url", c.Webhook.URL, "customers.sender is webhook")
		v.needed("customers.webhook.secret_file", c.Webhook.SecretFile, "customers.sender is webhook")
	case SenderTwilio:
		v.needed("customers.twilio.account_sid", c.Twilio.AccountSID, "customers.sender is twilio")
		v.needed("customers.twilio.auth_token_file", c.Twilio.AuthTokenFile, "customers.sender is twilio")
		v.needed("customers.twilio.from", c.Twilio.From, "customers.sender is twilio")
	}
}

func (v *validator) audit(c Config) {
	v.within("audit.retention", c.Audit.Retention, minRetention, maxRetention)
	if c.Audit.MaxEvents < minAuditEvents || c.Audit.MaxEvents > maxAuditEvents {
		v.add("audit.max_events", "must be from %d to %d", minAuditEvents, maxAuditEvents)
	}
}

func (v *validator) oneOf(path, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	v.add(path, "must be %s, not %s", orList(allowed), quote(value))
}

func (v *validator) within(path string, d, least, most time.Duration) {
	if d < least || d > most {
		v.add(path, "must be from %s to %s, not %s", formatDuration(least), formatDuration(most), formatDuration(d))
	}
}

func (v *validator) needed(path, value, why string) {
	if value == "" {
		v.add(path, "must be set, because %s", why)
	}
}

// orList returns "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// printable reports whether s is one line of 1 to most printable bytes.
func printable(s string, most int) bool {
	return strings.TrimSpace(s) != "" && len(s) <= most && strings.IndexFunc(s, unprintable) < 0
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
