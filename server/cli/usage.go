package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// strict makes every misuse of root and its subcommands end with code 2. By
// default, if the command after a noun is unknown or missing, cobra prints the
// help and reports success.
func (a *app) strict(root *cobra.Command) {
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 {
			return unknownCommand(c, words[0]) // the flag belonged to that command
		}
		return misuse(c, "%s", err)
	})
	// A noun without a command is not a valid usage.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if not .HasSubCommands}}", 1))
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	completionExamples(root)
	a.strictBelow(root)
}

func (a *app) strictBelow(c *cobra.Command) {
	a.completeValues(c)
	if !c.HasSubCommands() {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			if check != nil {
				if err := check(c, args); err != nil {
					return misuse(c, "%s", err)
				}
			}
			return checkValues(c, args)
		}
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if a.output != outputJSON {
			c.SetOut(a.err)
			_ = c.Help()
		}
		return misuse(c, "a command is missing")
	}
	for _, sub := range c.Commands() {
		a.strictBelow(sub)
	}
}

// completionExamples adds examples to cobra's completion commands, one for each
// shell.
func completionExamples(root *cobra.Command) {
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	for _, shell := range c.Commands() {
		shell.Example = map[string]string{
			"bash":       "  grantd completion bash > /etc/bash_completion.d/grantd",
			"zsh":        `  grantd completion zsh > "${fpath[1]}/_grantd"`,
			"fish":       "  grantd completion fish > ~/.config/fish/completions/grantd.fish",
			"powershell": "  grantd completion powershell | Out-String | Invoke-Expression",
		}[shell.Name()]
	}
}

func unknownCommand(c *cobra.Command, word string) error {
	problem := fmt.Sprintf("unknown command %q", word)
	c.SuggestionsMinimumDistance = 2
	if similar := c.SuggestionsFor(word); len(similar) > 0 {
		problem += ", did you mean " + strings.Join(similar, " or ") + "?"
	}
	return misuse(c, "%s", problem)
}

// operands returns a check that there is one argument for each name.
func operands(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return fmt.Errorf("%s is missing", names[len(args)])
		}
		for i, name := range names {
			if args[i] == "" {
				return fmt.Errorf("%s is empty", name)
			}
		}
		// The error does not repeat the extra arguments: they may be secrets.
		if extra := len(args) - len(names); extra > 0 {
			return fmt.Errorf("%s too many", plural(extra, "argument"))
		}
		return nil
	}
}

// required returns a usage error unless each named flag was given a value.
func required(c *cobra.Command, names ...string) error {
	for _, name := range names {
		if !c.Flags().Changed(name) {
			return misuse(c, "--%s is missing", name)
		}
		if c.Flags().Lookup(name).Value.String() == "" {
			return misuse(c, "--%s is empty", name)
		}
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// helpCommand returns a help command that, unlike cobra's, fails for a command
// that does not exist.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about any command",
		Example: "  grantd help client create",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
