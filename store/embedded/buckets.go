package embedded

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// layout is the version of the buckets below. A file with a later one is
// refused.
const layout = 1

// Top-level buckets, and what they hold. Open makes the buckets that a file of
// an older grantd lacks. An older grantd ignores buckets that it does not know.
var (
	bucketMeta       = []byte("meta")       // the keys below
	bucketClients    = []byte("clients")    // client id → record
	bucketOrgs       = []byte("orgs")       // org id → record
	bucketCustomers  = []byte("customers")  // customer id → record
	bucketPartners   = []byte("partners")   // partner id → record
	bucketGrants     = []byte("grants")     // partner id, '/', org id → record
	bucketHolds      = []byte("holds")      // HoldID → record
	bucketUses       = []byte("uses")       // owner, 0, secret, partner token or API key id → record
	bucketNetworks   = []byte("networks")   // client id → networks, separated by spaces
	bucketTokens     = []byte("tokens")     // hour → bucket of sequence → digest, record
	bucketFeed       = []byte("feed")       // log: sequence → milliseconds, record
	bucketAudit      = []byte("audit")      // log: sequence → milliseconds, record; changes by operators
	bucketChallenges = []byte("challenges") // digest → record
	bucketGuesses    = []byte("guesses")    // customer id → record

	bucketCustomerGroups = []byte("customers_by_org") // org id, 0, customer id; and 0 alone if it has all customers

	bucketAPIKeys      = []byte("api_keys")        // API key id → record
	bucketAPIKeyGroups = []byte("api_keys_by_org") // as customers_by_org

	bucketNoticeQueues  = []byte("notice_queues")  // NoticeQueueID → record
	bucketSigningKeys   = []byte("signing_keys")   // SigningKeysID → record
	bucketPartnerTokens = []byte("partner_tokens") // partner token id → record
	bucketAuditTraffic  = []byte("audit_traffic")  // as audit, with sequence numbers of both

	allBuckets = [][]byte{
		bucketMeta, bucketClients, bucketOrgs, bucketCustomers, bucketUses, bucketTokens, bucketFeed, bucketAudit,
		bucketChallenges, bucketGuesses, bucketPartners, bucketPartnerTokens, bucketGrants, bucketHolds, bucketAuditTraffic, bucketNetworks, bucketNoticeQueues,
		bucketSigningKeys,
		bucketCustomerGroups, bucketAPIKeys, bucketAPIKeyGroups,
	}
)

// Keys of the meta bucket.
var (
	keyLayout    = []byte("layout")     // 8 bytes
	keyLineage   = []byte("lineage")    // made with the file, random
	keyWitnessed = []byte("witnessed")  // a lineage
	keyStamp     = []byte("stamp")      // JSON
	keyTokenKeys = []byte("token_keys") // JSON
	keyPing      = []byte("ping")       // when Ping last wrote, or what it tried to write

	keyHasWitness = []byte("has_witness") // there: the file beside this one was made

	keyAuditCount        = []byte("audit_count")         // 8 bytes: events in audit
	keyAuditTrafficCount = []byte("audit_traffic_count") // 8 bytes: events in audit_traffic
)

// appendFill is how full pages get in buckets that only grow at their end.
const appendFill = 0.95

// The buckets exist once the store is open.
func meta(tx *bbolt.Tx) *bbolt.Bucket       { return tx.Bucket(bucketMeta) }
func uses(tx *bbolt.Tx) *bbolt.Bucket       { return tx.Bucket(bucketUses) }
func tokens(tx *bbolt.Tx) *bbolt.Bucket     { return tx.Bucket(bucketTokens) }
func feed(tx *bbolt.Tx) *bbolt.Bucket       { return tx.Bucket(bucketFeed) }
func challenges(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket(bucketChallenges) }
func guesses(tx *bbolt.Tx) *bbolt.Bucket    { return tx.Bucket(bucketGuesses) }

// number returns n as a key or value: 8 bytes that sort as n does.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// numberOf reads what number wrote. It returns 0 for anything shorter.
func numberOf(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
