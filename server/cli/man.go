package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages of all commands into a folder",
		Hidden: true, // for packagers
		Long: `Writes a page for each command into the folder DIR, which is made if it is missing:
grantd.1, grantd-client.1, grantd-client-create.1 and so on. The pages are the
same as --help, and have no date, so that a build can be repeated.`,
		Example: `  grantd man /usr/share/man/man1
  man ./man1/grantd-client-create.1`,
		Args: operands("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			n, err := writePages(c.Root(), args[0])
			if err != nil {
				return err
			}
			if a.output == outputJSON {
				return a.printJSON(map[string]any{"folder": args[0], "pages": n})
			}
			a.println("%s written to %s", plural(n, "manual page"), text(args[0]))
			return nil
		},
	}
}

// writePages writes the page of c and of each command below it.
func writePages(c *cobra.Command, dir string) (count int, err error) {
	err = os.WriteFile(filepath.Join(dir, pageName(c)+".1"), []byte(manPage(c)), 0o644)
	for _, sub := range listed(c) {
		n, below := writePages(sub, dir)
		count, err = count+n, errors.Join(err, below)
	}
	return count + 1, err
}

// listed returns the commands below c that its help lists.
func listed(c *cobra.Command) (below []*cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			below = append(below, sub)
		}
	}
	return below
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage returns the manual page of c in the man(7) format of roff.
func manPage(c *cobra.Command) string {
	c.InitDefaultHelpFlag()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(".TH %q 1 \"\" grantd \"grantd manual\"", strings.ToUpper(pageName(c)))
	line(".SH NAME\n%s \\- %s", roff(pageName(c)), roff(c.Short))
	usage := c.UseLine()
	if c.HasSubCommands() {
		usage = c.CommandPath() + " COMMAND"
	}
	line(".SH SYNOPSIS\n.nf\n%s\n.fi", roff(usage))
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	line(".SH DESCRIPTION\n%s", paragraphs(long))
	if subs := listed(c); len(subs) > 0 {
		line(".SH COMMANDS")
		for _, sub := range subs {
			line(".TP\n.BR %s (1)\n%s", roff(pageName(sub)), roff(sub.Short))
		}
	}
	for _, set := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"OPTIONS", c.NonInheritedFlags()}, {"OPTIONS OF ALL COMMANDS HERE", c.InheritedFlags()}} {
		if set.flags.HasAvailableFlags() {
			line(".SH %s\n%s", set.title, options(set.flags))
		}
	}
	if c.HasExample() {
		line(".SH EXAMPLES\n.nf\n%s\n.fi", roff(c.Example))
	}
	if !c.HasParent() {
		line("%s", exitStatus)
	} else {
		line(".SH SEE ALSO\n.BR %s (1)", roff(pageName(c.Parent())))
	}
	return b.String()
}

const exitStatus = `.SH EXIT STATUS
.TP
0
done
.TP
1
failed
.TP
2
wrong use or a wrong value: nothing was done
.TP
3
a command that looks for something found it
.TP
4
done and in force, but not yet confirmed by a replica of Redis
.PP
With \-\-output json, each line on standard error is a JSON object. The last one has
the members error, message and exit_code, and flag, argument, field and hint where
they apply.`

func options(flags *pflag.FlagSet) string {
	var lines []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, about := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		lines = append(lines, ".TP\n.B "+roff(name)+"\n"+roff(about))
	})
	return strings.Join(lines, "\n")
}

// paragraphs returns text with its line breaks, as help shows it.
func paragraphs(s string) string { return ".nf\n" + roff(s) + "\n.fi" }

// roff escapes text: a line that begins with a period or an apostrophe would be a
// request, and a plain hyphen would become a dash.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.Trim(s, "\n"))
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
