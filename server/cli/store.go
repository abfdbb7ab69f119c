package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server"
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
	c.AddCommand(a.storeBackupCommand(), a.storeRestoreCommand())
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
	case errors.Is(err, server.ErrServed), errors.Is(err, store.ErrUnavailable):
		return err
	}
	return err
}

// countPairs returns the counts of a copy, in order of their names.
func countPairs(counts map[store.Section]int) (pairs []pair) {
	for section, n := range counts {
		pairs = append(pairs, pair{string(section), strconv.Itoa(n)})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
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
