package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// Migrated is the result of Migrate.
type Migrated struct {
	Environment string                   `json:"environment"`
	Issuer      string                   `json:"issuer"`
	Copied      map[store.Section]Copied `json:"copied"`
	// Void and Expired are how many tokens were left out for that.
	Void    int `json:"void_tokens"`
	Expired int `json:"expired_tokens"`
}

// Copied is what one section has in both stores.
type Copied struct {
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"` // of the items, in whatever order
}

// Errors of Migrate.
var (
	// ErrDoubtful means that nobody can tell which tokens of the store are void.
	ErrDoubtful = errors.New("the store restarted or was restored while no grantd was watching: start grantd with it once, stop it again, and repeat the command")
	// ErrHeldBack means that the store holds records back, which a copy would not.
	ErrHeldBack = errors.New("records of the store are held back since it came back older: start grantd with it once, look (grantd store doctor) and release them, stop it again, and repeat the command")
	// ErrDiffers means that the target does not have what was copied.
	ErrDiffers = errors.New("the copy differs from the store")
)

// Migrate copies everything from one store to another one, which is empty or has a
// part of an earlier try. No process may serve with either. Tokens go on to work,
// except those that are void. At the end it reads the target again and compares.
// Until then, no grantd starts with the target. Errors: ErrNotEmpty, ErrDoubtful,
// ErrHeldBack, ErrDiffers, store.ErrUnavailable.
func Migrate(ctx context.Context, from, to store.Store, o Options) (Migrated, error) {
	m := &migration{from: from, to: to, o: o, tallies: map[store.Section]*tally{}}
	if err := m.begin(ctx); err != nil {
		return Migrated{}, err
	}
	if err := m.copyFeed(ctx); err != nil {
		return Migrated{}, err
	}
	for _, section := range store.Sections() {
		if err := m.copySection(ctx, section); err != nil {
			return Migrated{}, err
		}
	}
	if err := m.compare(ctx); err != nil {
		return Migrated{}, err
	}
	result := Migrated{Environment: m.stamp.Environment, Issuer: m.stamp.Issuer, Copied: map[store.Section]Copied{}, Void: m.void, Expired: m.expired}
	for section, t := range m.tallies {
		if t.all.count > 0 {
			result.Copied[section] = Copied{t.all.count, t.all.String()}
		}
	}
	return result, m.finish(ctx, result)
}

type migration struct {
	from, to store.Store
	o        Options
	stamp    store.Stamp // of the store, and of the target at the end
	begun    store.Stamp // of the target until then
	voids    *feed.Feed
	former   []store.Position // Until of the former issuers, in the feed of the store
	marks    []store.Position // the same in the feed of the target, after one for earlier tokens
	tallies  map[store.Section]*tally
	void     int
	expired  int
}

// CheckSource returns why the store cannot be moved now; nil: it can.
// Errors: ErrDoubtful, ErrHeldBack, store.ErrUnavailable.
func CheckSource(ctx context.Context, from store.Store, o Options) error {
	return (&migration{from: from, o: o}).checkSource(ctx)
}

// checkSource reads the stamp and the feed of the store.
func (m *migration) checkSource(ctx context.Context) (err error) {
	if m.stamp, err = m.from.ReadStamp(ctx); err != nil {
		return fmt.Errorf("the store is empty: %w", err)
	}
	if m.stamp.Format > store.Format {
		return store.ErrNewerFormat
	}
	var lineage store.Lineage
	if m.voids, lineage, err = feed.Read(ctx, feed.Options{Store: m.from, Now: m.o.Now, Log: m.o.Log}); err != nil {
		return err
	}
	if lineage.Witnessed != lineage.Current {
		return ErrDoubtful
	}
	switch hold, err := m.from.Holds().Get(ctx, store.HoldID); {
	case err == nil && len(hold.Left()) > 0:
		return ErrHeldBack
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

// begin checks both stores, and marks the target as incomplete.
func (m *migration) begin(ctx context.Context) (err error) {
	if err := m.checkSource(ctx); err != nil {
		return err
	}
	m.begun = begin(m.stamp)
	m.begun.Former = nil
	switch there, err := m.to.ReadStamp(ctx); {
	case err == nil && there.Equal(m.begun):
		return nil // an earlier try
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	if err := CheckEmpty(ctx, m.to); err != nil {
		return err
	}
	return m.to.Restamp(ctx, store.Stamp{}, m.begun)
}

// copyFeed appends the entries to the feed of the target, and then one for each
// issuer that the store had. Tokens get positions after all entries: none of these
// ends one of them, because those that are void are left out.
func (m *migration) copyFeed(ctx context.Context) error {
	err := eachEntry(ctx, m.from, m.voids.Position(), func(list []store.Entry) error {
		if len(list) == 0 {
			return nil
		}
		_, err := m.to.AppendFeed(ctx, list...)
		return err
	})
	if err != nil {
		return err
	}
	for i := -1; i < len(m.stamp.Former); i++ {
		at, err := appendMarker(ctx, m.to, m.o)
		if err != nil {
			return err
		}
		m.marks = append(m.marks, at)
		if i >= 0 {
			m.former = append(m.former, m.stamp.Former[i].Until)
			m.stamp.Former[i].Until = at
		}
	}
	return nil
}

// position returns the position in the feed of the target for one in the feed of the
// store: the one after the same issuers.
func (m *migration) position(p store.Position) store.Position {
	n := 0
	for n < len(m.former) && !m.former[n].After(p) {
		n++
	}
	return m.marks[n]
}

// copySection copies the items of the section.
func (m *migration) copySection(ctx context.Context, section store.Section) error {
	skip, err := m.eventsThere(ctx, section)
	if err != nil {
		return err
	}
	t, once := newTally(), newOnce(section)
	m.tallies[section] = t
	return eachPage(ctx, m.from, section, m.o, func(items []store.Item) error {
		loading := items[:0]
		for _, i := range items {
			i, ok, err := m.item(i)
			if err != nil {
				return err
			}
			if !ok || !once.first(i.Key) {
				continue
			}
			t.add(i)
			if skip[i.Section] > 0 {
				skip[i.Section]--
				continue
			}
			loading = append(loading, i)
		}
		return m.load(ctx, loading)
	})
}

func (m *migration) load(ctx context.Context, items []store.Item) error {
	size, begin := 0, 0
	for end, i := range items {
		if size += len(i.Form); size > loadBytes {
			if err := m.to.Load(ctx, items[begin:end+1]...); err != nil {
				return err
			}
			size, begin = 0, end+1
		}
	}
	if begin == len(items) {
		return nil
	}
	return m.to.Load(ctx, items[begin:]...)
}

// eventsThere returns how many events of each stream an earlier try has appended:
// unlike other items, they would be there twice.
func (m *migration) eventsThere(ctx context.Context, section store.Section) (map[store.Section]int, error) {
	there := map[store.Section]int{}
	if section != store.SectionAudit {
		return there, nil
	}
	err := eachPage(ctx, m.to, section, Options{}, func(items []store.Item) error {
		for _, i := range items {
			there[i.Section]++
		}
		return nil
	})
	return there, err
}

// item returns the item as the target gets it. ok is false for a token that is left
// out.
func (m *migration) item(i store.Item) (_ store.Item, ok bool, err error) {
	if err := check(i); err != nil {
		return i, false, fmt.Errorf("%w: `grantd store check` lists all records that cannot be read", err)
	}
	switch i.Section {
	case store.SectionTokens:
		return m.token(i)
	case store.SectionChallenges, store.SectionGuesses:
		return i, m.o.Now().Before(endOf(i)), nil
	}
	i, err = moving{voids: m.voids, to: m.position}.record(i)
	return i, true, err
}

func (m *migration) token(i store.Item) (_ store.Item, ok bool, err error) {
	d, t, err := store.TokenOf(i)
	if err != nil {
		return i, false, err
	}
	if !m.o.Now().Before(t.ExpiresAt) {
		m.expired++
		return i, false, nil
	}
	if _, void := m.voids.Voided(d, &t); void {
		m.void++
		return i, false, nil
	}
	t.Position = m.position(t.Position)
	return store.TokenItem(d, &t), true, nil
}

// compare reads the target again. It leaves out what has expired meanwhile.
func (m *migration) compare(ctx context.Context) error {
	for _, section := range store.Sections() {
		want, got, once := m.tallies[section], newTally(), newOnce(section)
		err := eachPage(ctx, m.to, section, Options{}, func(items []store.Item) error {
			for _, i := range items {
				if once.first(i.Key) {
					got.add(i)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		wanted, there := want.after(m.o.Now()), got.after(m.o.Now())
		if wanted != there {
			return fmt.Errorf("%w: %s: %d items were copied, and %d of them are there: repeat the command with --force, which empties the target first",
				ErrDiffers, section, wanted.count, there.count)
		}
	}
	return nil
}

// finish completes the target: its feed has everything, as far as the store had.
func (m *migration) finish(ctx context.Context, result Migrated) error {
	if err := m.o.Audit(ctx, m.to, audit.Change{Action: "store.migrate", After: result}); err != nil {
		return err
	}
	lineage, err := m.to.FeedLineage(ctx)
	if err != nil {
		return err
	}
	if err := m.to.WitnessFeed(ctx, lineage.Current); err != nil {
		return err
	}
	return m.to.Restamp(ctx, m.begun, m.stamp)
}
