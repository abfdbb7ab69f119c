package backup

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// sum is a digest of items that does not depend on their order.
type sum struct {
	count int
	xor   [sha256.Size]byte
}

// add adds an item. The keys of events are not part of it: each store numbers them.
func (s *sum) add(i store.Item) {
	h := sha256.New()
	key := i.Key
	if i.Section == store.SectionAudit || i.Section == store.SectionAuditTraffic {
		key = ""
	}
	for _, part := range [][]byte{[]byte(i.Section), []byte(key), i.Form} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	subtle.XORBytes(s.xor[:], s.xor[:], h.Sum(nil))
	s.count++
}

func (s *sum) String() string { return hex.EncodeToString(s.xor[:]) }

// tally sums items up by the minute in which they expire: two sums of the same items
// may be compared for those that have not expired.
type tally struct {
	all sum
	by  map[int64]*sum // minute since 1970 after which the items are expired
}

func newTally() *tally { return &tally{by: map[int64]*sum{}} }

func (t *tally) add(i store.Item) {
	t.all.add(i)
	minute := endOf(i).Unix()/60 + 1
	if t.by[minute] == nil {
		t.by[minute] = &sum{}
	}
	t.by[minute].add(i)
}

// after returns the sum of the items that are not expired at the time now, or within
// a minute after it.
func (t *tally) after(now time.Time) (all sum) {
	for minute, s := range t.by {
		if minute > now.Unix()/60+1 {
			all.count += s.count
			subtle.XORBytes(all.xor[:], all.xor[:], s.xor[:])
		}
	}
	return all
}

// guessWindow is how long the wrong codes of a day count.
const guessWindow = 24 * time.Hour

// never is the end of what does not expire.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// endOf returns when the item expires.
func endOf(i store.Item) time.Time {
	switch i.Section {
	case store.SectionTokens:
		if _, t, err := store.TokenOf(i); err == nil {
			return t.ExpiresAt
		}
	case store.SectionChallenges:
		if _, c, err := store.ChallengeOf(i); err == nil {
			return c.ExpiresAt
		}
	case store.SectionGuesses:
		if g, err := store.GuessesOf(i); err == nil && g.InRow == 0 {
			return g.Since.Add(guessWindow)
		}
	}
	return never
}

// sectionsTwice are the sections whose items a store may return twice.
var sectionsTwice = []store.Section{store.SectionTokens, store.SectionChallenges, store.SectionGuesses}

// once knows which keys it has seen, in about 20 bytes for each.
type once struct{ seen map[uint64]struct{} }

// newOnce returns a once for a section that a store may return items of twice, and
// one that remembers nothing for any other.
func newOnce(section store.Section) once {
	if slices.Contains(sectionsTwice, section) {
		return once{map[uint64]struct{}{}}
	}
	return once{}
}

// first reports whether the key is new.
func (o once) first(key string) bool {
	if o.seen == nil {
		return true
	}
	d := sha256.Sum256([]byte(key))
	k := binary.BigEndian.Uint64(d[:])
	if _, there := o.seen[k]; there {
		return false
	}
	o.seen[k] = struct{}{}
	return true
}
