package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/server/version"
	"github.com/grantd/grantd/store"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Back up, restore, check and move the store",
		Long: `The store has all records: clients with their secrets, orgs, customers, partners,
tokens and the audit log. It is the one that the configuration names.`,
	}
	c.AddCommand(a.storeBackupCommand(), a.storeRestoreCommand(), a.storeCheckCommand(), a.storeMigrateCommand(), a.storeIssuerCommand(), a.storeDoctorCommand())
	a.configFlag(c)
	return c
}

// copyOptions are the options of a copy that this process makes. It says how far
// it is every few seconds.
func (a *app) copyOptions() backup.Options {
	shown := time.Now()
	return backup.Options{
		Now: time.Now, MadeBy: version.Read().Version, Actor: "uid:" + strconv.Itoa(os.Geteuid()),
		Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Progress: func(section store.Section, done int) {
			if time.Since(shown) >= progressEvery {
				shown = time.Now()
				a.say("%s: %d done so far", section, done)
			}
		},
	}
}

// explainCopy adds what to do to the errors of copies that a flag changes.
func explainCopy(err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: choose another name, or add --force to replace it", err)
	case errors.Is(err, backup.ErrNotEmpty):
		return fmt.Errorf("%w: add --force to replace what it has", err)
	}
	return err
}

// sortedKeys returns the sections in the order of their names.
func sortedKeys[V any](of map[store.Section]V) []store.Section { return slices.Sorted(maps.Keys(of)) }

// countPairs returns the counts of a copy.
func countPairs(counts map[store.Section]int) (pairs []pair) {
	for _, section := range sortedKeys(counts) {
		pairs = append(pairs, pair{string(section), strconv.Itoa(counts[section])})
	}
	return pairs
}

func summaryPairs(s backup.Summary) []pair {
	return append([]pair{
		{"environment", text(s.Environment)},
		{"issuer", text(s.Issuer)},
		{"made_at", stamp(&s.MadeAt)},
		{"bytes", number(s.Bytes)},
		{"sha256", text(s.SHA256)},
	}, countPairs(s.Counts)...)
}
