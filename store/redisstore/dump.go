package redisstore

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// kind is one of the kinds of records, without its type.
type kind interface {
	ids(ctx context.Context, after, below string, limit int) ([]string, error)
	recordKey(id string) string
	indexKey() string
	GroupIn(form []byte) (string, error)
	entries(id, group string) iter.Seq2[string, string]
}

func (k *records[R]) recordKey(id string) string { return k.key(id) }
func (k *records[R]) indexKey() string           { return k.index }

// kindOf returns the kind of the records in the section; nil: it has none.
func (s *Store) kindOf(section store.Section) kind {
	switch section {
	case store.SectionOrgs:
		return &s.orgs
	case store.SectionClients:
		return &s.clients
	case store.SectionCustomers:
		return &s.customers
	case store.SectionPartners:
		return &s.partners
	case store.SectionPartnerTokens:
		return &s.partnerTokens
	case store.SectionAPIKeys:
		return &s.apiKeys
	case store.SectionGrants:
		return &s.grants
	case store.SectionSigningKeys:
		return &s.signingKeys
	}
	return nil
}

// Dump returns items of the section: records by their index, what has no index by
// SCAN, which may return an item twice.
func (s *Store) Dump(ctx context.Context, section store.Section, cursor string, limit int) (items []store.Item, next string, err error) {
	switch section {
	case store.SectionTokenKeys:
		items, err = s.dumpTokenKeys(ctx)
	case store.SectionUses:
		items, next, err = s.dumpUses(ctx, cursor, limit)
	case store.SectionNetworks:
		items, next, err = s.dumpNetworks(ctx, cursor, limit)
	case store.SectionTokens:
		items, next, err = s.dumpTokens(ctx, cursor, limit)
	case store.SectionChallenges:
		items, next, err = s.dumpHashes(ctx, s.keys.challengePrefix(), cursor, limit, challengeItem, "p", "n", "e")
	case store.SectionGuesses:
		items, next, err = s.dumpHashes(ctx, s.keys.guesses(""), cursor, limit, guessesItem, "t", "s", "r")
	case store.SectionAudit:
		items, next, err = s.dumpAudit(ctx, cursor, limit)
	default:
		k := s.kindOf(section)
		if k == nil {
			return nil, "", fmt.Errorf("redis: dump: there is no section %q", section)
		}
		items, next, err = s.dumpRecords(ctx, section, k, cursor, limit)
	}
	return items, next, err
}

func (s *Store) dumpTokenKeys(ctx context.Context) ([]store.Item, error) {
	var fields map[string]string
	err := wire.Retry(ctx, func() (err error) {
		fields, err = s.redis.HGetAll(ctx, s.keys.tokenKeys()).Result()
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "dump token keys", err)
	}
	var items []store.Item
	for id, form := range fields { // the form is that of the item
		items = append(items, store.Item{Section: store.SectionTokenKeys, Key: id, Form: []byte(form)})
	}
	return items, nil
}

// page returns the ids of the index after the cursor, and the next cursor.
func page(ctx context.Context, k kind, cursor string, limit int) (ids []string, next string, err error) {
	if ids, err = k.ids(ctx, cursor, "", limit); err != nil {
		return nil, "", err
	}
	if len(ids) == limit {
		next = ids[len(ids)-1]
	}
	return ids, next, nil
}

func (s *Store) dumpRecords(ctx context.Context, section store.Section, k kind, cursor string, limit int) ([]store.Item, string, error) {
	ids, next, err := page(ctx, k, cursor, limit)
	if err != nil || len(ids) == 0 {
		return nil, next, err
	}
	pipe := s.redis.Pipeline()
	forms := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		forms[i] = pipe.HGet(ctx, k.recordKey(id), fieldRecord)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	var items []store.Item
	for i, cmd := range forms {
		form, err := cmd.Bytes()
		if wire.IsNil(err) {
			continue
		}
		if err != nil {
			return nil, "", wire.StoreError(ctx, "dump "+string(section), err)
		}
		items = append(items, store.Item{Section: section, Key: ids[i], Form: form})
	}
	return items, next, nil
}

func (s *Store) dumpTokens(ctx context.Context, cursor string, limit int) (items []store.Item, next string, err error) {
	prefix := s.keys.tokenPrefix()
	node, names, next, err := s.scan(ctx, prefix, cursor, limit)
	if err != nil || len(names) == 0 {
		return nil, next, err
	}
	pipe := node.Pipeline()
	forms := make([]*redis.StringCmd, len(names))
	for i, name := range names {
		forms[i] = pipe.Get(ctx, name)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	for i, cmd := range forms {
		form, err := cmd.Bytes()
		if wire.IsNil(err) {
			continue
		}
		if err != nil {
			return nil, "", wire.StoreError(ctx, "dump tokens", err)
		}
		items = append(items, store.Item{Section: store.SectionTokens, Key: names[i][len(prefix):], Form: form})
	}
	return items, next, nil
}

// dumpHashes returns the items that make builds from some fields of the hashes whose
// names begin with the prefix.
func (s *Store) dumpHashes(ctx context.Context, prefix, cursor string, limit int,
	build func(key string, fields [3]string) (store.Item, error), fields ...string,
) (items []store.Item, next string, err error) {
	node, names, next, err := s.scan(ctx, prefix, cursor, limit)
	if err != nil || len(names) == 0 {
		return nil, next, err
	}
	pipe := node.Pipeline()
	cmds := make([]*redis.SliceCmd, len(names))
	for i, name := range names {
		cmds[i] = pipe.HMGet(ctx, name, fields...)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	for i, cmd := range cmds {
		held, err := cmd.Result()
		if err != nil {
			return nil, "", wire.StoreError(ctx, "dump", err)
		}
		var values [3]string
		there := false
		for j := range values {
			text, ok := held[j].(string)
			values[j], there = text, there || ok
		}
		if !there {
			continue // it has expired
		}
		item, err := build(names[i][len(prefix):], values)
		if err != nil {
			return nil, "", err
		}
		items = append(items, item)
	}
	return items, next, nil
}

func challengeItem(key string, fields [3]string) (store.Item, error) {
	var d store.Digest
	var c store.Challenge
	copy(d[:], key)
	copy(c.Proof[:], fields[0])
	tries, errTries := strconv.Atoi(fields[1])
	end, errEnd := strconv.ParseInt(fields[2], 10, 64)
	if errTries != nil || errEnd != nil || len(key) != len(d) || len(fields[0]) != len(c.Proof) {
		return store.Item{Section: store.SectionChallenges, Key: key}, nil // cannot be decoded
	}
	c.Tries, c.ExpiresAt = tries, time.UnixMilli(end)
	return store.ChallengeItem(d, c)
}

func guessesItem(key string, fields [3]string) (store.Item, error) {
	var n [3]int64
	for i, text := range fields {
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); text != "" && err != nil {
			return store.Item{Section: store.SectionGuesses, Key: key}, nil // cannot be decoded
		}
	}
	return store.GuessesItem(key, guesses(n[0], n[1], n[2]))
}
