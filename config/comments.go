package config

// comments gives each key its line in the example file.
func comments() map[string]string {
	return map[string]string{
		"environment": "sandbox or live; credentials and tokens of one never work in the other",
		"issuer":      "the URL that clients know this server by: https in live; empty in sandbox means the bound address",

		"public.listen":             "where clients and resource servers call; beyond loopback needs TLS, here or in a proxy",
		"public.trusted_proxies":    "addresses and CIDRs whose forwarded headers are believed and that may call /forward-auth",
		"public.behind_tls_proxy":   "true where a proxy in front ends TLS; with trusted_proxies, only what it says came by https (X-Forwarded-Proto) is served",
		"public.tls.cert_file":      "PEM certificate chain; needs key_file; both are read again when they change",
		"public.tls.key_file":       "PEM private key; needs cert_file",
		"public.tls.client_ca_file": "only callers with a certificate of this authority may connect",

		"admin.socket":             "unix socket of the admin API, in a folder that only this user may enter",
		"admin.listen":             "the admin API over TCP, for bearer tokens with admin:read or admin:write; empty: off",
		"admin.tls.cert_file":      "PEM certificate chain; needs key_file; both are read again when they change",
		"admin.tls.key_file":       "PEM private key; needs cert_file",
		"admin.tls.client_ca_file": "only callers with a certificate of this authority may connect",
		"metrics.listen":           "where Prometheus scrapes /metrics, always without TLS; empty switches it off",
		"console.listen":           "not in this version yet; leave empty",

		"store.backend":                   "embedded (one machine, no other service) or redis (as many as needed)",
		"store.embedded.path":             "folder of the embedded store",
		"store.redis.mode":                "standalone, sentinel or cluster",
		"store.redis.addresses":           "host:port of the server, of the sentinels, or of some cluster nodes",
		"store.redis.master_name":         "name of the master; sentinel only",
		"store.redis.db":                  "database number; 0 on a cluster",
		"store.redis.username":            "ACL user; empty means the default user",
		"store.redis.password_file":       "file that holds the password; empty means none",
		"store.redis.key_prefix":          "what every key begins with",
		"store.redis.tls.enabled":         "speak TLS with Redis",
		"store.redis.tls.ca_file":         "PEM certificates to trust in place of the system's",
		"store.redis.replica_acks":        "auto: revocations, voids, secret changes and code use wait for one replica on sentinel and cluster; 0 to 9: tokens wait too",
		"store.redis.replica_ack_timeout": "how long to wait for the replicas",

		"token.ttl":           "life of an access token, 1m to 24h; a client may have its own",
		"token.prefix":        `what access tokens begin with; default means gt_<environment>_, "" means nothing`,
		"cache.enabled":       "answer introspections from memory",
		"cache.max_entries":   "tokens kept in memory, 0 to 10000000",
		"cache.max_staleness": "the latest that a revocation counts on every replica, 500ms to 10s",
		"scopes.file":         "YAML catalogue of scopes; empty means the built-in one; read again on SIGHUP",

		"limits.auth_failures_per_client_and_address.count": "wrong client secrets by client and address (IPv6 by /64), over all replicas; one more gets 429; 0 switches a limit off",
		"limits.auth_failures_per_client_and_address.per":   "in this time",
		"limits.auth_failures_per_address.count":            "wrong client secrets by address, over all clients and replicas",
		"limits.auth_failures_per_address.per":              "in this time",
		"limits.issue_per_client.count":                     "tokens issued to one client, over all replicas; 0: as many as it asks for",
		"limits.issue_per_client.per":                       "in this time",
		"limits.issue_per_client.mode":                      "enforce refuses what is over the limit with 429, log only tells",
		"limits.codes_per_phone.count":                      "verification codes sent to one phone number, over all customers and replicas",
		"limits.codes_per_phone.per":                        "in this time",
		"limits.codes_per_customer.count":                   "verification codes sent for one customer, to whichever number",
		"limits.codes_per_customer.per":                     "in this time",
		"limits.codes_per_client.count":                     "verification codes that one client may have sent",
		"limits.codes_per_client.per":                       "in this time",
		"limits.codes_per_org.count":                        "verification codes sent for all customers of one org: the most that sending may cost",
		"limits.codes_per_org.per":                          "in this time",

		"forward_auth.headers": "forwarded (X-Forwarded-Method, -Uri, -For) or original (X-Original-Method, -URI, X-Real-IP); no effect yet",

		"customers.product_name":                    "the name in verification messages in sandbox; live uses the org's",
		"customers.sandbox_code":                    `six digits that are always right, such as "000001", with nothing sent; must be empty in live`,
		"customers.sender":                          "how codes are sent: log (sandbox only), webhook or twilio",
		"customers.webhook.url":                     "where codes are posted; https in live",
		"customers.webhook.secret_file":             "file that holds the key that signs the posts",
		"customers.webhook.allow_private_addresses": "true only for a receiver inside your network; false refuses addresses that are not of the public internet",
		"customers.twilio.account_sid":              "Twilio account",
		"customers.twilio.auth_token_file":          "file that holds its auth token",
		"customers.twilio.from":                     `number to send from, in quotes: "+15555550100"; for sms also a messaging service, MG…, or a sender id`,
		"customers.twilio.base_url":                 "another address of the API; empty means Twilio's own",

		"audit.retention": "how long audit entries are kept, 1d to 3650d",
		"log.level":       "debug, info, warn or error; read again on SIGHUP",
		"log.format":      "json or text",
	}
}
