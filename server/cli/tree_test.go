package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// endings are the words of commands that end something.
var endings = []string{"delete", "void", "revoke", "deactivate", "remove", "leak", "restore", "erase"}

// needNoYes has the commands that end something without --yes, each with the reason.
var needNoYes = map[string]string{
	"grantd client deactivate":   "reactivate undoes it, and clients request new tokens by themselves",
	"grantd org deactivate":      "reactivate undoes it, and clients request new tokens by themselves",
	"grantd customer deactivate": "reactivate undoes it, and the app signs in again",
	"grantd token revoke":        "it names one token and ends no other",
	"grantd leak":                "its argument is a credential that must not work any longer, and there is no time to lose",
	"grantd store restore":       "it refuses a store that is not empty unless --force says so, and keeps the old file",
}

// TestEveryCommand walks all commands. A new one gets completion, checks of its
// values and JSON errors by what this test asks for.
func TestEveryCommand(t *testing.T) {
	for _, c := range leaves((&app{}).rootCommand()) {
		path := c.CommandPath()
		if strings.TrimSpace(c.Example) == "" || !strings.Contains(c.Example, path) {
			t.Errorf("%s has no example: set Example of its cobra.Command to a line that people can paste", path)
		}
		if c.Short == "" || c.Args == nil {
			t.Errorf("%s: set Short, and Args to operands(…) or optional(…)", path)
		}
		for _, name := range operandsOf(c) {
			if _, ok := argumentKind(c, name); !ok {
				t.Errorf("%s: nothing says how the shell completes its argument %s: add it to argumentKinds in values.go", path, name)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || f.Name == "help" {
				return
			}
			if _, ok := flagKind(c, f.Name); !ok {
				t.Errorf("%s: nothing says how the shell completes --%s: add it to flagKinds in values.go", path, f.Name)
			}
		})
		ends := slices.ContainsFunc(endings, func(word string) bool { return strings.Contains(c.Name(), word) })
		if ends && c.Flags().Lookup("yes") == nil && needNoYes[path] == "" {
			t.Errorf("%s ends something and has no --yes: wrap it in a.final, which says what it does, or give the reason in needNoYes", path)
		}
		if !ends && needNoYes[path] != "" {
			t.Errorf("needNoYes has %s, which ends nothing", path)
		}
	}
}

// TestForGood: what reactivate undoes is not "for good".
func TestForGood(t *testing.T) {
	for _, c := range leaves((&app{}).rootCommand()) {
		if text := c.Short + c.Long + c.Example; c.Name() == "deactivate" && strings.Contains(text, "for good") {
			t.Errorf("%s: %s", c.CommandPath(), text)
		}
	}
}

// leaves returns the commands that do something, hidden ones too.
func leaves(c *cobra.Command) (found []*cobra.Command) {
	if !c.HasSubCommands() {
		return []*cobra.Command{c}
	}
	for _, sub := range c.Commands() {
		found = append(found, leaves(sub)...)
	}
	return found
}
