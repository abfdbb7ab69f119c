package config

import "time"

const day = 24 * time.Hour

// Defaults returns the configuration of a server without any settings: a
// sandbox on loopback with the embedded store. It passes Validate.
func Defaults() Config {
	var c Config
	c.Environment = "sandbox"
	c.Public.Listen = "127.0.0.1:8080"
	c.Public.CORSOrigins = []string{}
	c.Public.TrustedProxies = []string{}
	c.Admin.Socket = "./grantd-data/admin.sock"
	c.Metrics.Listen = "127.0.0.1:9464"

	c.Store.Backend = "embedded"
	c.Store.Embedded.Path = "./grantd-data"
	c.Store.Redis.Mode = "standalone"
	c.Store.Redis.Addresses = []string{"127.0.0.1:6379"}
	c.Store.Redis.KeyPrefix = "grantd:"
	c.Store.Redis.ReplicaAcks = acksAuto
	c.Store.Redis.ReplicaAckTimeout = 100 * time.Millisecond

	c.Token.TTL = time.Hour
	c.Token.Prefix = prefixDefault
	c.Cache.Enabled = true
	c.Cache.MaxEntries = 100_000
	c.Cache.MaxStaleness = time.Second

	c.Shutdown.Drain = 5 * time.Second

	c.Stream.MaxReaders = 6000
	c.Stream.MaxReadersPerClient = 5000
	c.Limits.AuthFailuresPerClientAndAddress = Limit{Count: 20, Per: time.Minute}
	c.Limits.AuthFailuresPerAddress = Limit{Count: 300, Per: time.Minute}
	c.Limits.AuthFailuresPerClient = Limit{Count: 100, Per: time.Hour}
	c.Limits.IssuePerClient = Quota{Limit{Count: 6000, Per: time.Minute}, modeEnforce}
	c.Limits.RevocationsPerClient = Quota{Limit{Count: 600, Per: time.Minute}, modeEnforce}
	c.Limits.CustomerTokensPerClient = Quota{Limit{Count: 6000, Per: time.Minute}, modeEnforce}
	c.Limits.OnBehalfTokensPerPartner = Quota{Limit{Count: 6000, Per: time.Minute}, modeEnforce}
	c.Limits.KeyChangesPerClient = Quota{Limit{Count: 120, Per: time.Hour}, modeEnforce}
	c.Limits.CodesPerPhone = Limit{Count: 5, Per: 10 * time.Minute}
	c.Limits.CodesPerCustomer = Limit{Count: 10, Per: day}
	c.Limits.CodesPerClient = Limit{Count: 1000, Per: time.Hour}
	c.Limits.CodesPerOrg = Limit{Count: 10_000, Per: day}

	c.ForwardAuth.Headers = "forwarded"
	c.ForwardAuth.Policies = []Policy{}
	c.Customers.ProductName = "grantd"
	c.Audit.Retention = 365 * day
	c.Audit.MaxEvents = 1_000_000
	c.Traces.SampleOneIn = 100
	c.Log.Level = "info"
	c.Log.Format = "json"
	return c
}
