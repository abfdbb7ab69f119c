package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// The counts of a customer are a hash (keys.go). If t is 0 or the window has
// passed since s, then t and s mean nothing. The clock is the caller's.

// takeGuess takes the time and the window in ms, and the two bounds. It returns
// whether it counted, and the counts.
var takeGuess = wire.NewScript(`
local held = redis.call('HMGET', KEYS[1], 't', 's', 'r')
local today, since, row = tonumber(held[1] or 0), tonumber(held[2] or 0), tonumber(held[3] or 0)
if not (today and since and row) then return redis.error_reply('WRONGTYPE not counts') end
local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
if today == 0 or now - since >= window then today, since = 0, 0 end
if today >= tonumber(ARGV[3]) or row >= tonumber(ARGV[4]) then return {0, today, since, row} end
if today == 0 then since = now end
today, row = today + 1, row + 1
redis.call('HSET', KEYS[1], 't', today, 's', since, 'e', since + window, 'r', row)
redis.call('PERSIST', KEYS[1])
return {1, today, since, row}`)

// returnGuess takes the time in ms, 1 if the guess was right, and the start of
// the window that it was counted in. Counts without a row expire with the
// window.
var returnGuess = wire.NewScript(`
local held = redis.call('HMGET', KEYS[1], 't', 'e', 'r', 's')
local today, ends, row = tonumber(held[1] or 0), tonumber(held[2] or 0), tonumber(held[3] or 0)
if not (today and ends and row) then return redis.error_reply('WRONGTYPE not counts') end
if held[4] == ARGV[3] then today = math.max(today - 1, 0) end
row = ARGV[2] == '1' and 0 or math.max(row - 1, 0)
local left = today > 0 and ends - tonumber(ARGV[1]) or 0
if row == 0 and left <= 0 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 't', today, 'r', row)
if row == 0 then redis.call('PEXPIRE', KEYS[1], left) end
return 1`)

// TakeGuess is one script. Times are truncated to milliseconds.
func (s *Store) TakeGuess(ctx context.Context, customerID string, b store.GuessBounds) (store.Guesses, bool, error) {
	counts, err := s.runCritical(ctx, takeGuess, s.keys.guesses(customerID),
		s.now().UnixMilli(), b.Window.Milliseconds(), b.Today, b.InRow).Int64Slice()
	if err != nil {
		return store.Guesses{}, false, wire.StoreError(ctx, "take guess", err)
	}
	if len(counts) != 4 {
		return store.Guesses{}, false, fmt.Errorf("redis: take guess: the script returned %d numbers", len(counts))
	}
	return guesses(counts[1], counts[2], counts[3]), counts[0] == 1, nil
}

// ReturnGuess is one script.
func (s *Store) ReturnGuess(ctx context.Context, customerID string, g store.Guesses, right bool) error {
	wasRight := "0"
	if right {
		wasRight = "1"
	}
	return wire.StoreError(ctx, "return guess", s.runCritical(ctx, returnGuess, s.keys.guesses(customerID),
		s.now().UnixMilli(), wasRight, g.Since.UnixMilli()).Err())
}

// GetGuesses is one HMGET.
func (s *Store) GetGuesses(ctx context.Context, customerID string, window time.Duration) (store.Guesses, error) {
	var held []any
	err := wire.Retry(ctx, func() (err error) {
		held, err = s.redis.HMGet(ctx, s.keys.guesses(customerID), "t", "s", "r").Result()
		return err
	})
	if err != nil {
		return store.Guesses{}, wire.StoreError(ctx, "get guesses", err)
	}
	var counts [3]int64
	for i := range min(len(held), len(counts)) {
		text, there := held[i].(string)
		if !there {
			continue
		}
		if counts[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return store.Guesses{}, fmt.Errorf("get guesses of %s: %w", customerID, store.ErrUnknownRecord)
		}
	}
	return guesses(counts[0], counts[1], counts[2]).Current(s.now(), window), nil
}

// ResetGuesses is one script.
func (s *Store) ResetGuesses(ctx context.Context, customerID string) error {
	return wire.StoreError(ctx, "reset guesses", s.runChange(ctx, s.acks.Critical, dropKey, s.keys.guesses(customerID)).Err())
}

// guesses returns the counts; since is in Unix ms.
func guesses(today, since, row int64) store.Guesses {
	g := store.Guesses{Today: int(today), InRow: int(row)}
	if today > 0 {
		g.Since = time.UnixMilli(since).UTC()
	}
	return g
}
