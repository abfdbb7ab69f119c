package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes (contract §5).
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Streams are what a command may touch of the process that runs it.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func() []string // os.Environ in production; nil: no environment
	// Reload begins to listen for SIGHUP and answers a channel that tells of
	// each; only serve calls it, so that any other command ends by one. May be
	// nil.
	Reload func() <-chan struct{}
}

// Run runs one command line (without the program's name) and answers the exit
// code: 0 done, 1 failed, 2 used wrongly. Data goes to Out; errors, notes and
// logs go to Err. The commands that serve end when ctx does.
func Run(ctx context.Context, args []string, std Streams) (exitCode int) {
	out := &sticky{w: std.Out}
	a := &app{in: std.In, out: out, err: std.Err, env: std.Env, reload: std.Reload, output: outputTable}
	root := a.rootCommand()
	root.SetIn(std.In)
	root.SetOut(out)
	root.SetErr(std.Err)
	root.SetArgs(append([]string{}, args...)) // never nil, which means os.Args to cobra
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	return a.exit(ctx, err)
}

// app is one run: its streams, and the flags that several commands share.
type app struct {
	in  io.Reader
	out *sticky
	err io.Writer
	env func() []string

	output     outputFormat // --output
	configFile string       // --config
	socket     string       // --socket
	server     string       // --server
	caFile     string       // --ca-file
	reload     func() <-chan struct{}
}

// exit tells of err, one line for each thing that is wrong.
func (a *app) exit(ctx context.Context, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		a.say("%s", usage)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		a.say("interrupted")
		return exitFailed
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		a.say("%s", line)
	}
	return exitFailed
}

// say writes one line for people, on standard error.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.err, "grantd: "+visible(fmt.Sprintf(format, args...)))
}

// lookup answers the value of an environment variable, or "".
func (a *app) lookup(name string) string {
	if a.env == nil {
		return ""
	}
	for _, variable := range a.env() {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// sticky remembers that writing failed: a secret that is shown once must not
// be lost to a full disk with exit code 0.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err != nil {
		s.err = fmt.Errorf("cannot write the output: %w", err)
	}
	return n, s.err
}

func (a *app) rootCommand() *cobra.Command {
	const running, managing = "running", "managing"
	root := &cobra.Command{
		Use:   "grantd",
		Short: "An OAuth 2.0 server for the client credentials grant",
		Long: `grantd lets your backend services prove who they are. A client (a service with
an id and a secret) asks it for an access token; a resource server (a service
that is called with a token) asks it whether the token is good.

New here? Run 'grantd dev' and paste the lines that it prints.`,
		Version:       build().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddGroup(&cobra.Group{ID: running, Title: "Run a server:"}, &cobra.Group{ID: managing, Title: "Manage a running server:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(running, a.devCommand(), a.serveCommand(), a.configCommand())
	add(managing, a.clientCommand(), a.orgCommand(), a.customerCommand(), a.partnerCommand(), a.tokenCommand(), a.leakCommand(), a.scopeCommand(), a.auditCommand())
	root.AddCommand(a.versionCommand())
	root.Flags().Bool("version", false, "print the version")
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().Var(&a.output, "output", "how to print: table or json")
	a.strict(root)
	return root
}
