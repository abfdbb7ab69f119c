package store

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
)

// FeedRetention is how long feed entries are kept: the longest life of a token,
// and 5 minutes for clocks that differ.
const FeedRetention = scopes.MaxTokenLife + 5*time.Minute

// FeedPage is how many entries one ReadFeed returns at most.
const FeedPage = 10_000

// Position is a place in the feed. The zero Position is before every entry.
type Position struct {
	Time uint64 `json:"time"` // milliseconds on Redis, 0 on the embedded store
	Seq  uint64 `json:"seq"`
}

// Compare returns a negative number if p is before q, a positive one if p is
// after q, and 0 if they are the same.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.Time, q.Time); c != 0 {
		return c
	}
	return cmp.Compare(p.Seq, q.Seq)
}

// After reports whether p is later than q.
func (p Position) After(q Position) bool { return p.Compare(q) > 0 }

// IsZero reports whether p is before every entry.
func (p Position) IsZero() bool { return p == Position{} }

// String returns the form that Redis gives to stream ids: time-sequence, in
// decimal.
func (p Position) String() string { return string(p.Append(make([]byte, 0, 24))) }

// Append appends the form that String returns.
func (p Position) Append(b []byte) []byte {
	b = strconv.AppendUint(b, p.Time, 10)
	b = append(b, '-')
	return strconv.AppendUint(b, p.Seq, 10)
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (Position, error) {
	ms, seq, ok := strings.Cut(s, "-")
	if !ok {
		return Position{}, errors.New("feed position: no '-'")
	}
	t, err := strconv.ParseUint(ms, 10, 64)
	if err != nil {
		return Position{}, errors.New("feed position: time is not a number")
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return Position{}, errors.New("feed position: sequence is not a number")
	}
	return Position{Time: t, Seq: n}, nil
}

// EntryKind says what a feed entry does.
type EntryKind string

const (
	// EntryVoid ends every token of the principal that was minted before the
	// entry, and makes cached records of the principal stale.
	EntryVoid EntryKind = "void"
	// EntryChange only makes cached records under the key stale.
	EntryChange EntryKind = "change"
)

// Entry is one entry of the feed.
type Entry struct {
	Position Position
	Kind     EntryKind
	Key      string    // a principal, see Principal* in principals.go
	By       string    // actor, as in the audit
	At       time.Time // clock of the replica that wrote it, milliseconds
	// Until is when the entry stops mattering; zero: FeedRetention after At.
	Until time.Time

	// Version is that of the record that the key names, as it was left; 0: the
	// entry does not say. A record with an older version is from a store that lost
	// changes, and is not used.
	Version uint64
	Gone    bool   // the record was deleted; Version is then the one after its last
	Form    string // the record's stored form (Kind.Marshal); "": the entry does not hold it
}

// Lineage names two incarnations of the store. A restarted or failed-over Redis
// is another incarnation.
type Lineage struct {
	Current   string
	Witnessed string
}
