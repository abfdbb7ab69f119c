package embedded

import (
	"fmt"
	"math"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// digestKey is the front of a digest: enough to find a token by, since two
// digests of random tokens do not share 128 bits. A presented token is
// anybody's, so reads compare the whole digest, which is in the value.
type digestKey [16]byte

func keyOf(d store.Digest) digestKey { return digestKey(d[:16]) }

// hour counts the hours since 1970.
type hour uint64

func hourOf(t time.Time) hour { return hour(t.Unix() / 3600) }

// location is where a token lies. No hour comes near 2³² tokens.
type location struct {
	hour hour
	seq  uint32
}

// move is how a token's place changes; from is nil for a new token.
type move struct {
	from *location
	to   location
}

// index knows where every token is. It has one map for each hour, so that
// an hour goes at once and gives its memory back; there are 25 of them at
// most, as tokens live for 24 hours at most.
type index struct {
	mu    sync.RWMutex
	hours []hourIndex
}

type hourIndex struct {
	hour hour
	seqs map[digestKey]uint32
}

// find answers where the token is.
func (x *index) find(k digestKey) (location, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, h := range x.hours {
		if seq, ok := h.seqs[k]; ok {
			return location{h.hour, seq}, true
		}
	}
	return location{}, false
}

// expired answers the hours in which no token is alive.
func (x *index) expired(now time.Time) []hour {
	current := hourOf(now)
	x.mu.RLock()
	defer x.mu.RUnlock()
	var list []hour
	for _, h := range x.hours {
		if h.hour < current {
			list = append(list, h.hour)
		}
	}
	return list
}

// apply does what a batch has put on the disk.
func (x *index) apply(tokens map[digestKey]move, dropped []hour) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for k, m := range tokens {
		if m.from != nil {
			delete(x.of(m.from.hour, 0), k)
		}
		x.of(m.to.hour, 0)[k] = m.to.seq
	}
	for _, h := range dropped {
		x.drop(h)
	}
}

// drop forgets an hour; x is locked.
func (x *index) drop(gone hour) {
	for i, h := range x.hours {
		if h.hour == gone {
			x.hours = append(x.hours[:i], x.hours[i+1:]...)
			return
		}
	}
}

// of is the map of an hour, made if it is not there with room for size
// tokens; x is locked.
func (x *index) of(h hour, size int) map[digestKey]uint32 {
	for i := range x.hours {
		if x.hours[i].hour == h {
			return x.hours[i].seqs
		}
	}
	m := make(map[digestKey]uint32, size)
	x.hours = append(x.hours, hourIndex{h, m})
	return m
}

// load replaces the index by what tx holds. Of hours that have passed only
// the name is kept, to drop them.
func (x *index) load(tx *bbolt.Tx, now time.Time) error {
	var fresh index
	err := tokens(tx).ForEachBucket(func(name []byte) error {
		h := hour(numberOf(name))
		if h < hourOf(now) {
			fresh.of(h, 0)
			return nil
		}
		b := tokens(tx).Bucket(name)
		m := fresh.of(h, int(min(b.Sequence(), 1<<24)))
		return b.ForEach(func(k, v []byte) error {
			seq := numberOf(k)
			if len(v) < len(store.Digest{}) || seq > math.MaxUint32 {
				return fmt.Errorf("token record %d is damaged", seq)
			}
			m[digestKey(v[:16])] = uint32(seq)
			return nil
		})
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hours = fresh.hours
	return nil
}
