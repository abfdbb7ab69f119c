package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// guessWindow is how long wrong codes of a day count. The item of counts does not
// say it.
const guessWindow = 24 * time.Hour

// Load writes the items in one pipeline. It is not atomic: repeat it after an error.
func (s *Store) Load(ctx context.Context, items ...store.Item) error {
	if err := ctx.Err(); err != nil || len(items) == 0 {
		return wire.StoreError(ctx, "load", err)
	}
	pipe := s.redis.Pipeline()
	var last store.Position // of both streams of the audit, once it is known
	for _, i := range items {
		if err := i.Check(); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		var err error
		switch i.Section {
		case store.SectionAudit:
			err = s.loadEvent(ctx, pipe, s.keys.audit(), &last, i)
		case store.SectionAuditTraffic:
			err = s.loadEvent(ctx, pipe, s.keys.auditTraffic(), &last, i)
		default:
			err = s.load(ctx, pipe, i)
		}
		if err != nil {
			return err
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	_, err := pipe.Exec(ctx)
	return wire.StoreError(ctx, "load", err)
}

// setFields sets fields of a record, unless the record is gone.
var setFields = wire.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1`)

// load puts the commands that write an item into the pipeline. The item has been
// checked.
func (s *Store) load(ctx context.Context, pipe redis.Pipeliner, i store.Item) error {
	switch i.Section {
	case store.SectionTokenKeys:
		pipe.HSet(ctx, s.keys.tokenKeys(), i.Key, i.Form)
	case store.SectionUses:
		u, err := store.UseOf(i)
		if err != nil {
			return err
		}
		last := strconv.FormatInt(u.LastAt.UnixMilli(), 10) + " " + u.LastIP
		_ = pipe.Process(ctx, setFields.Command(ctx, s.keys.owner(u.Owner), u.ID+suffixCount, u.Count, u.ID+suffixLast, last))
	case store.SectionNetworks:
		list, err := store.NetworksOf(i)
		if err != nil {
			return err
		}
		_ = pipe.Process(ctx, setFields.Command(ctx, s.keys.client(i.Key), fieldNetworks, strings.Join(list, " ")))
	case store.SectionGuesses:
		return s.loadGuesses(ctx, pipe, i)
	case store.SectionChallenges:
		d, c, err := store.ChallengeOf(i)
		if err != nil {
			return err
		}
		end := c.ExpiresAt.UnixMilli()
		if left := end - s.now().UnixMilli(); left > 0 {
			_ = pipe.Process(ctx, putChallenge.Command(ctx, s.keys.challenge(d), c.Proof[:], c.Tries, end, left))
		}
	case store.SectionTokens:
		d, t, err := store.TokenOf(i)
		if err != nil {
			return err
		}
		if left := wholeSeconds(t.ExpiresAt.Sub(s.now())); left > 0 {
			pipe.Set(ctx, s.keys.token(d), i.Form, left)
		}
	default:
		version, err := i.RecordVersion()
		if err != nil {
			return err
		}
		k := s.kindOf(i.Section)
		group, err := k.GroupIn(i.Form)
		if err != nil {
			return err
		}
		for index, member := range k.entries(i.Key, group) {
			pipe.ZAdd(ctx, index, redis.Z{Member: member})
		}
		pipe.HSet(ctx, k.recordKey(i.Key), fieldVersion, strconv.FormatUint(version, 10), fieldRecord, i.Form)
	}
	return nil
}

func (s *Store) loadGuesses(ctx context.Context, pipe redis.Pipeliner, i store.Item) error {
	g, err := store.GuessesOf(i)
	if err != nil {
		return err
	}
	key, end := s.keys.guesses(i.Key), g.Since.Add(guessWindow)
	if g.InRow == 0 && !s.now().Before(end) {
		return nil
	}
	since := int64(0)
	if g.Today > 0 {
		since = g.Since.UnixMilli()
	}
	pipe.HSet(ctx, key, "t", g.Today, "s", since, "e", end.UnixMilli(), "r", g.InRow)
	if g.InRow == 0 {
		pipe.PExpire(ctx, key, end.Sub(s.now()))
	}
	return nil
}

// loadEvent appends an event under the id that is its key, or one after all events of
// both streams: their order is that of the ids. last is the newest id; zero: it is
// not known.
func (s *Store) loadEvent(ctx context.Context, pipe redis.Pipeliner, stream string, last *store.Position, i store.Item) error {
	id, err := store.ParsePosition(i.Key)
	if err != nil {
		return err
	}
	if last.IsZero() {
		if *last, err = s.newestEvent(ctx); err != nil {
			return err
		}
	}
	if !id.After(*last) {
		id = store.Position{Time: last.Time, Seq: last.Seq + 1}
	}
	*last = id
	pipe.XAdd(ctx, &redis.XAddArgs{Stream: stream, ID: id.String(), Values: []any{fieldEntry, i.Form}})
	return nil
}

// newestEvent returns the newest id of both streams of the audit.
func (s *Store) newestEvent(ctx context.Context) (store.Position, error) {
	change, err := s.newestIn(ctx, s.keys.audit())
	if err != nil {
		return change, err
	}
	traffic, err := s.newestIn(ctx, s.keys.auditTraffic())
	if traffic.After(change) {
		return traffic, err
	}
	return change, err
}

func (s *Store) newestEntry(ctx context.Context) (store.Position, error) {
	return s.newestIn(ctx, s.keys.feed())
}

// newestIn returns the id of the newest entry of a stream, or zero.
func (s *Store) newestIn(ctx context.Context, stream string) (store.Position, error) {
	var messages []redis.XMessage
	err := wire.Retry(ctx, func() (err error) {
		messages, err = s.redis.XRevRangeN(ctx, stream, "+", "-", 1).Result()
		return err
	})
	if err != nil || len(messages) == 0 {
		return store.Position{}, wire.StoreError(ctx, "newest entry", err)
	}
	return store.ParsePosition(messages[0].ID)
}
