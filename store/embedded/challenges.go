package embedded

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// challengeRecord is the stored form of a challenge, version 1.
type challengeRecord struct {
	V     int    `json:"v"`
	Proof []byte `json:"proof"`
	Tries int    `json:"tries"` // remaining
	End   int64  `json:"end"`   // Unix milliseconds
}

const challengeVersion = 1

// challengeSweep is the least time between two sweeps of expired challenges. A
// new challenge starts a sweep.
const challengeSweep = time.Minute

// PutChallenge keeps a challenge until its end, truncated to milliseconds.
// Errors: store.ErrExpired.
func (s *Store) PutChallenge(ctx context.Context, d store.Digest, c store.Challenge) error {
	r := challengeRecord{V: challengeVersion, Proof: c.Proof[:], Tries: c.Tries, End: c.ExpiresAt.UnixMilli()}
	return s.write(ctx, "put challenge", func(b *batch) error {
		if r.over(b.now) {
			return refuse(store.ErrExpired)
		}
		if err := s.sweepChallenges(b); err != nil {
			return err
		}
		return putChallenge(b.tx, d, r)
	})
}

// TryChallenge compares the proof, and removes the challenge or counts the try,
// in one step.
// Errors: store.ErrNotFound, store.ErrWrong, store.ErrUnknownRecord.
func (s *Store) TryChallenge(ctx context.Context, d, proof store.Digest) error {
	const operation = "try challenge"
	var wrong bool
	err := s.write(ctx, operation, func(b *batch) error {
		stored := challenges(b.tx).Get(d[:])
		if stored == nil {
			return refuse(store.ErrNotFound)
		}
		r, err := challengeOf(stored)
		if err != nil {
			return refuse(err)
		}
		if r.over(b.now) {
			return refuse(store.ErrNotFound)
		}
		wrong = subtle.ConstantTimeCompare(r.Proof, proof[:]) != 1
		if r.Tries--; wrong && r.Tries > 0 {
			return putChallenge(b.tx, d, r)
		}
		return challenges(b.tx).Delete(d[:])
	})
	if err == nil && wrong {
		// The caller learns this only once the try is counted on the disk.
		return resultError(operation, refuse(store.ErrWrong))
	}
	return err
}

// DropChallenge removes a challenge, if it is there.
func (s *Store) DropChallenge(ctx context.Context, d store.Digest) error {
	return s.write(ctx, "drop challenge", func(b *batch) error {
		if challenges(b.tx).Get(d[:]) == nil {
			return errUnchanged
		}
		return challenges(b.tx).Delete(d[:])
	})
}

// sweepChallenges drops expired challenges, unless it has done so recently. It
// leaves challenges of a newer grantd alone.
func (s *Store) sweepChallenges(b *batch) error {
	if since := b.now.Sub(s.sweptChallenges); since >= 0 && since < challengeSweep {
		return nil
	}
	s.sweptChallenges = b.now
	var ended [][]byte
	c := challenges(b.tx).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if r, err := challengeOf(v); err == nil && r.over(b.now) {
			ended = append(ended, k)
		}
	}
	for _, k := range ended {
		if err := challenges(b.tx).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func (r challengeRecord) over(now time.Time) bool { return now.UnixMilli() >= r.End }

func putChallenge(tx *bbolt.Tx, d store.Digest, r challengeRecord) error {
	record, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return challenges(tx).Put(d[:], record)
}

func challengeOf(record []byte) (challengeRecord, error) {
	var r challengeRecord
	if err := json.Unmarshal(record, &r); err != nil || r.V != challengeVersion {
		return challengeRecord{}, fmt.Errorf("challenge: %w", store.ErrUnknownRecord)
	}
	return r, nil
}
