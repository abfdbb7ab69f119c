package config

import (
	"slices"
	"strings"
)

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
	v.redisTLS(r)
	v.redisSentinel(r)
	if !acks.MatchString(string(r.ReplicaAcks)) {
		v.add("store.redis.replica_acks", "%s", errAcks)
	}
	if r.ReplicaAckTimeout <= 0 {
		v.add("store.redis.replica_ack_timeout", "must be longer than 0")
	}
}

func (v *validator) redisTLS(r Redis) {
	const path = "store.redis.tls"
	for _, k := range []struct{ name, value string }{
		{"ca_file", r.TLS.CAFile}, {"cert_file", r.TLS.CertFile}, {"key_file", r.TLS.KeyFile}, {"server_name", r.TLS.ServerName},
	} {
		if k.value != "" && !r.TLS.Enabled {
			v.add(path+"."+k.name, "has no effect; set store.redis.tls.enabled to true, or leave it empty")
		}
	}
	if r.TLS.Enabled {
		v.tls(path, TLS{CertFile: r.TLS.CertFile, KeyFile: r.TLS.KeyFile})
	}
	if r.TLS.ServerName != "" && !validHost(r.TLS.ServerName) {
		v.add(path+".server_name", "must be a host name or an IP address, without a port, not %s", quote(r.TLS.ServerName))
	}
	if r.TLS.Enabled && slices.ContainsFunc(r.Addresses, isSocket) {
		v.add(path+".enabled", "must be false, because Redis has no TLS on a unix socket")
	}
}

func (v *validator) redisSentinel(r Redis) {
	const path = "store.redis.sentinel"
	switch {
	case r.Sentinel.Username == "" && r.Sentinel.PasswordFile == "":
	case r.Mode != "sentinel":
		v.add(path, "has no effect, because store.redis.mode is not sentinel: leave it empty")
	case r.Sentinel.PasswordFile == "":
		v.add(path+".password_file", "must be set, because store.redis.sentinel.username is")
	}
}

// socketPrefix begins the address of a unix socket.
const socketPrefix = "unix:"

func isSocket(address string) bool { return strings.HasPrefix(address, socketPrefix) }

func (v *validator) redisAddresses(r Redis) {
	const path = "store.redis.addresses"
	switch {
	case len(r.Addresses) == 0:
		v.add(path, "must contain at least one host:port")
	case len(r.Addresses) > 1 && r.Mode == "standalone":
		v.add(path, "must contain exactly one address, because store.redis.mode is standalone")
	}
	for i, address := range r.Addresses {
		if socket, is := strings.CutPrefix(address, socketPrefix); is {
			switch {
			case r.Mode != "standalone":
				v.add(path, "entry %d must be host:port: a unix socket is possible only if store.redis.mode is standalone", i+1)
			case !strings.HasPrefix(socket, "/") || strings.HasPrefix(socket, "//"):
				v.add(path, "entry %d must have an absolute path after unix:, such as unix:/run/redis/redis.sock, not %s", i+1, quote(address))
			case len(socket) > maxSocketPath:
				v.add(path, "entry %d is too long: the path of a unix socket has at most %d bytes", i+1, maxSocketPath)
			}
			continue
		}
		host, port, ok := splitAddress(address)
		if !ok || !validHost(host) || !validPort(port) || strings.Trim(port, "0") == "" {
			v.add(path, "entry %d must be host:port, such as 127.0.0.1:6379%s, not %s", i+1, socketHint(r.Mode), quote(address))
		}
	}
}

// socketHint returns how an address of a unix socket is written, if the mode allows one.
func socketHint(mode string) string {
	if mode != "standalone" {
		return ""
	}
	return ", or " + socketPrefix + " and a path, such as unix:/run/redis/redis.sock"
}
