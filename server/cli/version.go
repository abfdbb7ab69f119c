package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildInfo is what the Go tools wrote into the program.
type buildInfo struct {
	Version  string `json:"version"`  // "dev" outside a tagged build
	Commit   string `json:"commit"`   // "" if not built from a checkout
	Modified bool   `json:"modified"` // the checkout had changes
	Go       string `json:"go"`
}

func build() buildInfo {
	b := buildInfo{Version: "dev", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show which grantd this is", Args: operands(),
		RunE: func(*cobra.Command, []string) error {
			b := build()
			if a.output == outputJSON {
				return a.printJSON(b)
			}
			commit := text(b.Commit)
			if b.Modified {
				commit += " (modified)"
			}
			a.pairs([]pair{{"version", b.Version}, {"commit", commit}, {"go", b.Go}})
			return nil
		},
	}
}
