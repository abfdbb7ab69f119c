package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// putChallenge takes the proof, the tries, the end and what is left until
// then, both in ms. The life is given in the same step: nothing here lives
// for ever.
var putChallenge = wire.NewScript(`
redis.call('HSET', KEYS[1], 'p', ARGV[1], 'n', ARGV[2], 'e', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`)

// tryChallenge takes a proof, a nonce and the time in ms. It counts, compares
// and consumes in one step.
//
// Lua does not promise that == takes the same time for all texts. So it
// compares hashes under a nonce that nobody knew before: how long that takes
// says nothing of the stored proof. SHA-1 is the one hash that a script has,
// and enough for it.
var tryChallenge = wire.NewScript(`
local held = redis.call('HMGET', KEYS[1], 'p', 'n', 'e')
if not (held[1] or held[2] or held[3]) then return 0 end
local tries, ends = tonumber(held[2] or ''), tonumber(held[3] or '')
if not (held[1] and tries and ends) then return redis.error_reply('WRONGTYPE not a challenge') end
if tonumber(ARGV[3]) >= ends then return 0 end
if redis.sha1hex(ARGV[2] .. held[1]) == redis.sha1hex(ARGV[2] .. ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return 1
end
if tries > 1 then
  redis.call('HSET', KEYS[1], 'n', tries - 1)
else
  redis.call('DEL', KEYS[1])
end
return -1`)

// dropKey is DEL as a script, for runAcked.
var dropKey = wire.NewScript(`return redis.call('DEL', KEYS[1])`)

// nonceBytes is the length of the nonce of tryChallenge.
const nonceBytes = 16

// PutChallenge is one script. Ends are cut to milliseconds.
func (s *Store) PutChallenge(ctx context.Context, d store.Digest, c store.Challenge) error {
	end := c.ExpiresAt.UnixMilli()
	left := end - s.now().UnixMilli()
	if left <= 0 {
		return fmt.Errorf("put challenge: %w", store.ErrExpired)
	}
	return wire.StoreError(ctx, "put challenge", s.runCritical(ctx, putChallenge, s.keys.challenge(d), c.Proof[:], c.Tries, end, left).Err())
}

// TryChallenge is one script.
func (s *Store) TryChallenge(ctx context.Context, d, proof store.Digest) error {
	const op = "try challenge"
	const wrong = -1
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce) // it cannot fail
	answer, err := s.runCritical(ctx, tryChallenge, s.keys.challenge(d), proof[:], nonce, s.now().UnixMilli()).Int()
	if err != nil {
		return wire.StoreError(ctx, op, err)
	}
	switch answer {
	case done:
		return nil
	case absent:
		return fmt.Errorf("%s: %w", op, store.ErrNotFound)
	case wrong:
		return fmt.Errorf("%s: %w", op, store.ErrWrong)
	}
	return fmt.Errorf("redis: %s: script answered %d", op, answer)
}

// DropChallenge is one script.
func (s *Store) DropChallenge(ctx context.Context, d store.Digest) error {
	return wire.StoreError(ctx, "drop challenge", s.runCritical(ctx, dropKey, s.keys.challenge(d)).Err())
}
