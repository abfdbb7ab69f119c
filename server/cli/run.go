package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/version"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
	// exitUnconfirmed: the change is in force, but no replica of Redis has
	// confirmed it.
	exitUnconfirmed = 4
)

// errFound is returned by a command that looks for something, printed it, and
// ends with the code 3.
var errFound = errors.New("found")

// Streams are the parts of the process that a command may use.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func() []string // os.Environ in production; nil: no environment
	// Reload starts to listen for SIGHUP and returns a channel that receives a
	// value for each. Only serve calls it, so SIGHUP ends any other command. It
	// may be nil.
	Reload func() <-chan struct{}
}

// Run runs one command line (without the program's name) and returns the exit
// code: 0 for success, 1 for a failure, 2 for wrong usage, 3 if a command that
// looks for something found it, 4 for a change that is in force, but not
// confirmed. Data goes to Out;
// errors, notes and logs go to Err. The commands that serve end when ctx does.
func Run(ctx context.Context, args []string, std Streams) (exitCode int) {
	out := &sticky{w: std.Out}
	a := &app{in: std.In, out: out, err: std.Err, env: std.Env, reload: std.Reload, output: outputTable, args: args}
	root := a.rootCommand()
	root.SetIn(std.In)
	root.SetErr(std.Err)
	root.SetArgs(append([]string{}, args...)) // never nil: cobra would then use os.Args
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.err
	}
	code := a.exit(ctx, c, err)
	if a.connected != nil {
		a.connected.http.CloseIdleConnections()
	}
	return code
}

// app is one run of the program: its streams and the flags that several
// commands share.
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
	args       []string // the command line
	connected  *api     // nil: not connected
	// unconfirmed is what the server says about a change that is not confirmed
	// yet; "": all are.
	unconfirmed string
}

// exit prints err and returns the exit code. c is the command that ran.
func (a *app) exit(ctx context.Context, c *cobra.Command, err error) int {
	switch {
	case err == nil && a.unconfirmed != "":
		a.say("%s", a.unconfirmed)
		return exitUnconfirmed
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFound
	}
	if wantsJSON(a.args) {
		a.output = outputJSON
	}
	return a.report(a.failureOf(ctx, c, err))
}

// say prints one line for people on standard error. With --output json, this line is
// an object too.
func (a *app) say(format string, args ...any) {
	if a.output == outputJSON {
		a.note(map[string]string{"note": strings.TrimPrefix(fmt.Sprintf(format, args...), "note: ")})
		return
	}
	fmt.Fprintln(a.err, "grantd: "+visible(fmt.Sprintf(format, args...)))
}

// lookup returns the value of an environment variable, or "".
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

// sticky remembers that a write failed: if a full disk loses a secret that is
// shown only once, the exit code must not be 0.
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
an ID and a secret) requests an access token from it. A resource server (a
service that receives tokens) asks it whether a token is valid.

New here? Run 'grantd dev' and paste the commands that it prints.`,
		Version:       version.Read().Version,
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
	add(running, a.devCommand(), a.serveCommand(), a.edgeCommand(), a.healthcheckCommand(), a.configCommand())
	add(managing, a.clientCommand(), a.orgCommand(), a.customerCommand(), a.partnerCommand(), a.keyCommand(), a.tokenCommand(), a.storeCommand(), a.leakCommand(), a.scopeCommand(), a.auditCommand(), a.requestCommand(), a.noticesCommand(), a.signingKeyCommand())
	root.AddCommand(a.versionCommand(), a.manCommand())
	root.Flags().Bool("version", false, "print the version")
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().Var(&a.output, "output", "output format: table or json")
	root.SetOut(a.out) // before the completion commands are made, which keep it
	a.strict(root)
	return root
}
