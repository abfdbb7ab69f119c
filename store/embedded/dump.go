package embedded

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// bucketOf has the bucket of each section whose items are the values of the
// bucket, under their keys.
var bucketOf = map[store.Section][]byte{
	store.SectionOrgs:          bucketOrgs,
	store.SectionClients:       bucketClients,
	store.SectionCustomers:     bucketCustomers,
	store.SectionPartners:      bucketPartners,
	store.SectionPartnerTokens: bucketPartnerTokens,
	store.SectionAPIKeys:       bucketAPIKeys,
	store.SectionGrants:        bucketGrants,
	store.SectionSigningKeys:   bucketSigningKeys,
	store.SectionUses:          bucketUses,
	store.SectionNetworks:      bucketNetworks,
	store.SectionGuesses:       bucketGuesses,
	store.SectionChallenges:    bucketChallenges,
}

// Dump returns items of the section. The cursor is the last key in the bucket, or
// the last hour and number of a token.
func (s *Store) Dump(ctx context.Context, section store.Section, cursor string, limit int) (items []store.Item, next string, err error) {
	err = s.view(ctx, "dump "+string(section), func(tx *bbolt.Tx) (err error) {
		switch section {
		case store.SectionTokenKeys:
			items, err = dumpTokenKeys(tx)
		case store.SectionTokens:
			items, next, err = dumpTokens(tx, cursor, limit)
		case store.SectionAudit:
			items, next = dumpAudit(tx, cursor, limit)
		default:
			bucket := bucketOf[section]
			if bucket == nil {
				return refuse(fmt.Errorf("there is no section %q", section))
			}
			items, next, err = dumpBucket(tx.Bucket(bucket), section, cursor, limit)
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return items, next, nil
}

func dumpTokenKeys(tx *bbolt.Tx) ([]store.Item, error) {
	records, err := tokenKeys(tx)
	if err != nil {
		return nil, err
	}
	items := make([]store.Item, len(records))
	for i, r := range records {
		if items[i], err = store.TokenKeyItem(store.TokenKey(r)); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func dumpBucket(b *bbolt.Bucket, section store.Section, cursor string, limit int) (items []store.Item, next string, err error) {
	c := b.Cursor()
	k, v := c.Seek([]byte(cursor))
	if cursor != "" && string(k) == cursor {
		k, v = c.Next()
	}
	for ; k != nil && len(items) < limit; k, v = c.Next() {
		i, err := itemOf(section, k, v)
		if err != nil {
			return nil, "", err
		}
		items, next = append(items, i), string(k)
	}
	if k == nil {
		next = ""
	}
	return items, next, nil
}

// itemOf returns the item of a key and value.
func itemOf(section store.Section, k, v []byte) (store.Item, error) {
	switch section {
	case store.SectionUses:
		return store.Item{Section: section, Key: useItemKey(k), Form: bytes.Clone(v)}, nil
	case store.SectionNetworks:
		return store.NetworksItem(string(k), strings.Fields(string(v)))
	}
	return store.Item{Section: section, Key: string(k), Form: bytes.Clone(v)}, nil
}

// useItemKey returns the key of the item for the key of a use; see useKey.
func useItemKey(k []byte) string {
	owner, id, _ := strings.Cut(string(k), "\x00")
	if kind, _ := store.OwnerOf(owner); kind == "" {
		owner = store.PrincipalClient(owner)
	}
	return owner + "/" + id
}

// dumpTokens returns tokens. The cursor is the hour and the number of the last
// one, 8 bytes each.
func dumpTokens(tx *bbolt.Tx, cursor string, limit int) (items []store.Item, next string, err error) {
	from, after := []byte(nil), []byte(nil)
	if len(cursor) == 16 {
		from, after = []byte(cursor[:8]), []byte(cursor[8:])
	}
	hours := tokens(tx).Cursor()
	for h, _ := hours.Seek(from); h != nil; h, _ = hours.Next() {
		bucket := tokens(tx).Bucket(h)
		if bucket == nil {
			return nil, "", fmt.Errorf("the hour %x of tokens is damaged", h)
		}
		c := bucket.Cursor()
		k, v := c.First()
		if after != nil && bytes.Equal(h, from) {
			if k, v = c.Seek(after); bytes.Equal(k, after) {
				k, v = c.Next()
			}
		}
		for ; k != nil; k, v = c.Next() {
			if len(items) == limit {
				return items, next, nil
			}
			digest := min(len(v), len(store.Digest{}))
			items = append(items, store.Item{Section: store.SectionTokens, Key: string(v[:digest]), Form: bytes.Clone(v[digest:])})
			next = string(h) + string(k)
		}
	}
	return items, "", nil
}

// dumpAudit returns events of both streams. The cursor is the number of the last
// one.
func dumpAudit(tx *bbolt.Tx, cursor string, limit int) (items []store.Item, next string) {
	after := numberOf([]byte(cursor))
	list := func(bucket []byte, section store.Section) (items []store.Item, whole bool) {
		c := tx.Bucket(bucket).Cursor()
		k, v := c.Seek(number(after + 1))
		for ; k != nil && len(items) < limit; k, v = c.Next() {
			p := store.Position{Time: numberOf(v), Seq: numberOf(k)}
			items = append(items, store.Item{Section: section, Key: p.String(), Form: bytes.Clone(logRecord(v))})
		}
		return items, k == nil
	}
	changes, wholeChanges := list(bucketAudit, store.SectionAudit)
	traffic, wholeTraffic := list(bucketAuditTraffic, store.SectionAuditTraffic)
	merged := store.MergeAuditItems(changes, traffic, wholeChanges, wholeTraffic, limit, func(i store.Item) store.Position {
		return store.Position{Seq: sequenceOf(i)}
	})
	if len(merged) == 0 || wholeChanges && wholeTraffic && len(merged) == len(changes)+len(traffic) {
		return merged, ""
	}
	return merged, string(number(sequenceOf(merged[len(merged)-1])))
}

func sequenceOf(i store.Item) uint64 {
	p, _ := store.ParsePosition(i.Key) // it was made here
	return p.Seq
}
