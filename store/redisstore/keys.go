package redisstore

import (
	"slices"
	"strings"

	"github.com/grantd/grantd/store"
)

// keys names every key of the store. Ids hold neither ':' nor braces, so that
// names never collide. Digests are raw: 32 bytes each rather than 64.
//
//	t:<digest>    string: a token record; expires store.TokenKept after the token
//	c:<client id> hash: v (version), d (record), and for each secret that was
//	              used <sid>:n (count) and <sid>:last (Unix ms, address);
//	              nets: the networks it authenticated from
//	clients       sorted set: ids of all clients, score 0
//	o:<org id>    hash: v (version), d (record)
//	orgs          sorted set: ids of all orgs, score 0
//	u:<customer id>
//	              hash: v (version), d (record)
//	customers     sorted set: ids of all customers, score 0
//	customers_by_org
//	              sorted set: org id, 0, customer id, score 0; and 0 alone if it
//	              has all customers
//	p:<partner id>
//	              hash: v (version), d (record), and for each token that was
//	              used <tid>:n (count) and <tid>:last (Unix ms, address)
//	partners      sorted set: ids of all partners, score 0
//	q:<partner token id>
//	              hash: v (version), d (record): the owner of the token
//	partner_tokens
//	              sorted set: ids of all partner tokens, score 0
//	k:<API key id>
//	              hash: v (version), d (record), and if it was used
//	              <id>:n (count) and <id>:last (Unix ms, address)
//	api_keys      sorted set: ids of all API keys, score 0
//	api_keys_by_org
//	              sorted set: org id, 0, API key id, score 0; and 0 alone if it
//	              has all API keys
//	g:<partner id>/<org id>
//	              hash: v (version), d (record)
//	grants        sorted set: ids of all grants, score 0
//	hold:<id>     hash: v (version), d (record)
//	holds         sorted set: ids of all holds, score 0
//	n:<id>        hash: v (version), d (record): the queue of notices
//	notice_queues sorted set: ids of all of them, score 0
//	j:<id>        hash: v (version), d (record): keys that sign introspection
//	signing_keys  sorted set: ids of all such records, score 0
//	v:<digest>    hash: p (proof), n (remaining tries), e (end, Unix ms): a
//	              challenge; expires with it
//	w:<customer id>
//	              hash: t (wrong codes today), s (since when, Unix ms), e (end
//	              of that day, Unix ms), r (wrong codes in a row); expires
//	              with the day unless there is a row
//	feed          stream: e (entry)
//	lineage       string: run id of the Redis whose feed was witnessed
//	masters       string: run ids of all masters of the Cluster that was
//	              witnessed
//	audit         stream: e (event); changes by operators
//	audit_traffic stream: e (event)
//	stamp         string: JSON
//	keys          hash: key id → JSON
//	l:<name>      string: a counter; expires with its window
//	ping          string: written by Ping
//	serving       string: written again and again by processes that serve;
//	              expires within seconds
type keys struct{ prefix string }

func (k keys) token(d store.Digest) string      { return k.prefix + "t:" + string(d[:]) }
func (k keys) client(id string) string          { return k.prefix + "c:" + id }
func (k keys) clientIndex() string              { return k.prefix + "clients" }
func (k keys) org(id string) string             { return k.prefix + "o:" + id }
func (k keys) orgIndex() string                 { return k.prefix + "orgs" }
func (k keys) customer(id string) string        { return k.prefix + "u:" + id }
func (k keys) customerIndex() string            { return k.prefix + "customers" }
func (k keys) customerGroups() string           { return k.prefix + "customers_by_org" }
func (k keys) partner(id string) string         { return k.prefix + "p:" + id }
func (k keys) partnerIndex() string             { return k.prefix + "partners" }
func (k keys) partnerToken(id string) string    { return k.prefix + "q:" + id }
func (k keys) partnerTokenIndex() string        { return k.prefix + "partner_tokens" }
func (k keys) apiKey(id string) string          { return k.prefix + "k:" + id }
func (k keys) apiKeyIndex() string              { return k.prefix + "api_keys" }
func (k keys) apiKeyGroups() string             { return k.prefix + "api_keys_by_org" }
func (k keys) grant(id string) string           { return k.prefix + "g:" + id }
func (k keys) grantIndex() string               { return k.prefix + "grants" }
func (k keys) hold(id string) string            { return k.prefix + "hold:" + id }
func (k keys) holdIndex() string                { return k.prefix + "holds" }
func (k keys) noticeQueue(id string) string     { return k.prefix + "n:" + id }
func (k keys) noticeQueueIndex() string         { return k.prefix + "notice_queues" }
func (k keys) signingKey(id string) string      { return k.prefix + "j:" + id }
func (k keys) signingKeyIndex() string          { return k.prefix + "signing_keys" }
func (k keys) challenge(d store.Digest) string  { return k.prefix + "v:" + string(d[:]) }
func (k keys) guesses(customerID string) string { return k.prefix + "w:" + customerID }
func (k keys) feed() string                     { return k.prefix + "feed" }
func (k keys) lineage() string                  { return k.prefix + "lineage" }
func (k keys) masters() string                  { return k.prefix + "masters" }
func (k keys) audit() string                    { return k.prefix + "audit" }
func (k keys) auditTraffic() string             { return k.prefix + "audit_traffic" }
func (k keys) stamp() string                    { return k.prefix + "stamp" }
func (k keys) tokenKeys() string                { return k.prefix + "keys" }
func (k keys) limit(name string) string         { return k.prefix + "l:" + name }
func (k keys) ping() string                     { return k.prefix + "ping" }
func (k keys) serving() string                  { return k.prefix + "serving" }
func (k keys) tokenPrefix() string              { return k.prefix + "t:" }
func (k keys) challengePrefix() string          { return k.prefix + "v:" }

// kinds are the parts before the ':' of the keys that have one. singles are the
// others.
const kinds = "tcoupqkgvwlnj"

var singles = []string{
	"clients", "orgs", "customers", "customers_by_org", "partners", "partner_tokens", "api_keys", "api_keys_by_org", "grants", "feed", "lineage", "audit", "audit_traffic",
	"stamp", "keys", "ping", "serving", "notice_queues", "signing_keys",
}

// isOurs reports whether the key with our prefix is one of those above: another
// program may use keys that begin with the prefix too.
func (k keys) isOurs(key string) bool {
	rest, ok := strings.CutPrefix(key, k.prefix)
	if ok && len(rest) > 2 && rest[1] == ':' {
		return strings.IndexByte(kinds, rest[0]) >= 0
	}
	return ok && slices.Contains(singles, rest)
}

// Fields of the hash of a record. Only the fields of credentials hold a ':'.
const (
	fieldVersion = "v"
	fieldRecord  = "d"
	suffixCount  = ":n"
	suffixLast   = ":last"

	fieldNetworks = "nets"
)

// fieldEntry is the only field of a stream entry.
const fieldEntry = "e"
