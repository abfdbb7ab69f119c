package config

import "time"

// Config is the whole configuration, with one field for each key of the file.
// Only the `key` tags define the key paths.
type Config struct {
	Environment string `key:"environment"` // sandbox or live
	Issuer      string `key:"issuer"`      // empty only in sandbox: use the bound address

	Public Public `key:"public"`
	Admin  struct {
		Socket string `key:"socket"`
		Listen string `key:"listen"` // TCP, for bearer tokens; empty: off
		TLS    TLS    `key:"tls"`
	} `key:"admin"`
	Metrics struct {
		Listen string `key:"listen"` // empty: off
	} `key:"metrics"`
	Console struct {
		Listen string `key:"listen"` // must be empty in this version
	} `key:"console"`

	Metadata struct {
		MCP bool `key:"mcp"` // with the members that MCP clients insist on
	} `key:"metadata"`

	Store struct {
		Backend  string `key:"backend"` // embedded or redis
		Embedded struct {
			Path string `key:"path"` // a folder
		} `key:"embedded"`
		Redis Redis `key:"redis"`
	} `key:"store"`
	Token struct {
		TTL    time.Duration `key:"ttl"`
		Prefix string        `key:"prefix"` // as configured; use Config.TokenPrefix
	} `key:"token"`
	Cache struct {
		Enabled      bool          `key:"enabled"`
		MaxEntries   int           `key:"max_entries"`
		MaxStaleness time.Duration `key:"max_staleness"`
	} `key:"cache"`
	Scopes struct {
		File   string `key:"file"`   // empty: the preset, or the built-in catalogue
		Preset string `key:"preset"` // unit or unidy; empty: none
	} `key:"scopes"`

	Shutdown struct {
		Drain time.Duration `key:"drain"` // 0: none
	} `key:"shutdown"`

	Limits Limits   `key:"limits"`
	Stream struct { // GET /oauth/revocations
		MaxReaders          int `key:"max_readers"` // of one replica
		MaxReadersPerClient int `key:"max_readers_per_client"`
	} `key:"stream"`
	ForwardAuth struct {
		Headers  string   `key:"headers"`  // forwarded or original
		Policies []Policy `key:"policies"` // for Envoy
	} `key:"forward_auth"`
	Customers Customers `key:"customers"`
	Notices   struct {
		Webhook Webhook `key:"webhook"` // empty URL: off
	} `key:"notices"`
	Audit struct {
		Retention time.Duration `key:"retention"`
		MaxEvents int           `key:"max_events"` // of each of the two streams
	} `key:"audit"`
	Traces struct {
		Endpoint    string `key:"endpoint"`      // empty: off
		SampleOneIn int    `key:"sample_one_in"` // of so many traces, one is recorded
		HeadersFile string `key:"headers_file"`  // empty: none
	} `key:"traces"`
	Log Log `key:"log"`
}

// Public configures the listener that clients and resource servers call.
type Public struct {
	Listen         string   `key:"listen"`
	CORSOrigins    []string `key:"cors_origins"`    // of web pages; see CrossOrigin in server/web
	TrustedProxies []string `key:"trusted_proxies"` // as configured; use Public.TrustedPrefixes
	BehindTLSProxy bool     `key:"behind_tls_proxy"`
	TLS            TLS      `key:"tls"`
}

// TLS configures the server side of TLS on one listener.
type TLS struct {
	CertFile     string `key:"cert_file"`
	KeyFile      string `key:"key_file"`
	ClientCAFile string `key:"client_ca_file"` // empty: clients need no certificate
}

// Redis configures the redis store.
type Redis struct {
	Mode         string   `key:"mode"` // standalone, sentinel or cluster
	Addresses    []string `key:"addresses"`
	MasterName   string   `key:"master_name"`
	DB           int      `key:"db"`
	Username     string   `key:"username"`
	PasswordFile string   `key:"password_file"`
	KeyPrefix    string   `key:"key_prefix"`
	TLS          struct {
		Enabled    bool   `key:"enabled"`
		CAFile     string `key:"ca_file"`
		CertFile   string `key:"cert_file"` // of grantd; empty: none
		KeyFile    string `key:"key_file"`
		ServerName string `key:"server_name"` // empty: the host of the address
	} `key:"tls"`
	Sentinel struct {
		Username     string `key:"username"`
		PasswordFile string `key:"password_file"`
	} `key:"sentinel"` // the account for the sentinels themselves
	ReplicaAcks       ReplicaAcks   `key:"replica_acks"` // as configured; use Redis.Acks
	ReplicaAckTimeout time.Duration `key:"replica_ack_timeout"`
}

// ReplicaAcks is "auto" or a number of replicas, "0" to "9".
type ReplicaAcks string

// Limits configures every rate limit.
type Limits struct {
	AuthFailuresPerClientAndAddress Limit `key:"auth_failures_per_client_and_address"`
	AuthFailuresPerAddress          Limit `key:"auth_failures_per_address"`
	AuthFailuresPerClient           Limit `key:"auth_failures_per_client"` // of imported secrets
	IssuePerClient                  Quota `key:"issue_per_client"`
	RevocationsPerClient            Quota `key:"revocations_per_client"`
	CustomerTokensPerClient         Quota `key:"customer_tokens_per_client"`
	OnBehalfTokensPerPartner        Quota `key:"on_behalf_tokens_per_partner"`
	KeyChangesPerClient             Quota `key:"key_changes_per_client"`
	CodesPerPhone                   Limit `key:"codes_per_phone"`
	CodesPerCustomer                Limit `key:"codes_per_customer"`
	CodesPerClient                  Limit `key:"codes_per_client"`
	CodesPerOrg                     Limit `key:"codes_per_org"` // limits the cost of sending
}

// Quota is a Limit that may only be logged.
type Quota struct {
	Limit `key:",squash"`
	Mode  string `key:"mode"` // enforce or log
}

// Enforced reports whether what is over the quota is refused.
func (q Quota) Enforced() bool { return q.Mode == modeEnforce }

// Values of Quota.Mode.
const (
	modeEnforce = "enforce"
	modeLog     = "log"
)

// Limit allows Count events in each period Per. A Count of 0 turns it off.
type Limit struct {
	Count int           `key:"count"`
	Per   time.Duration `key:"per"`
}

// Customers configures customer tokens and the sending of their codes.
type Customers struct {
	ProductName string `key:"product_name"`
	SandboxCode string `key:"sandbox_code"` // empty, or six digits that are always accepted
	Sender      string `key:"sender"`       // as configured; use Config.CodeSender
	// PhoneKeyFile holds the keys that phone numbers are encrypted with in the
	// store; empty: they are in clear text.
	PhoneKeyFile string  `key:"phone_key_file"`
	Webhook      Webhook `key:"webhook"`
	Twilio       Twilio  `key:"twilio"`
}

// Webhook configures a service of the operator that grantd posts to.
type Webhook struct {
	URL                   string `key:"url"`
	SecretFile            string `key:"secret_file"`
	AllowPrivateAddresses bool   `key:"allow_private_addresses"`
}

// Twilio configures the sender twilio.
type Twilio struct {
	AccountSID    string `key:"account_sid"`
	AuthTokenFile string `key:"auth_token_file"`
	From          string `key:"from"`
	BaseURL       string `key:"base_url"` // empty: Twilio's own
}

// Log configures the log on standard error.
type Log struct {
	Level  string `key:"level"`  // debug, info, warn or error
	Format string `key:"format"` // json or text
}
