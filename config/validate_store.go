package config

import "strings"

func (v *validator) store(c Config) {
	v.oneOf("store.backend", c.Store.Backend, "embedded", "redis")
	v.needed("store.embedded.path", c.Store.Embedded.Path, "the embedded store keeps its data there")
	v.redis(c.Store.Redis)
}

// redis checks the section even if the backend is embedded, so that a wrong
// value is found before somebody switches to Redis.
func (v *validator) redis(r Redis) {
	v.oneOf("store.redis.mode", r.Mode, "standalone", "sentinel", "cluster")
	v.redisAddresses(r)
	if r.Mode == "sentinel" {
		v.needed("store.redis.master_name", r.MasterName, "store.redis.mode is sentinel")
	}
	if r.DB < 0 {
		v.add("store.redis.db", "must not be negative")
	}
	if r.Mode == "cluster" && r.DB > 0 {
		v.add("store.redis.db", "must be 0, because a Redis Cluster has only database 0")
	}
	// A brace would set the cluster slot of every key; a space is a mistake.
	if strings.ContainsAny(r.KeyPrefix, "{} ") || r.KeyPrefix != "" && !printable(r.KeyPrefix, maxKeyPrefix) {
		v.add("store.redis.key_prefix", "must be at most %d visible characters without spaces and braces", maxKeyPrefix)
	}
	if r.TLS.CAFile != "" && !r.TLS.Enabled {
		v.add("store.redis.tls.ca_file", "has no effect; set store.redis.tls.enabled to true, or leave it empty")
	}
	if !acks.MatchString(string(r.ReplicaAcks)) {
		v.add("store.redis.replica_acks", "%s", errAcks)
	}
	if r.ReplicaAckTimeout <= 0 {
		v.add("store.redis.replica_ack_timeout", "must be longer than 0")
	}
}

func (v *validator) redisAddresses(r Redis) {
	const path = "store.redis.addresses"
	switch {
	case len(r.Addresses) == 0:
		v.add(path, "must contain at least one host:port")
	case len(r.Addresses) > 1 && r.Mode == "standalone":
		v.add(path, "must contain exactly one address, because store.redis.mode is standalone")
	}
	for i, address := range r.Addresses {
		host, port, ok := splitAddress(address)
		if !ok || !validHost(host) || !validPort(port) || strings.Trim(port, "0") == "" {
			v.add(path, "entry %d must be host:port, such as 127.0.0.1:6379, not %s", i+1, quote(address))
		}
	}
}
