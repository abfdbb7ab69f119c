package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/cli/importer"
)

// Codes of the failures that are not the server's. The server's failures have the
// code of its response, such as not_found.
const (
	codeWrongUse    = "wrong_use"
	codeWrongValue  = "wrong_value"
	codeConfig      = "invalid_configuration"
	codeUnreachable = "unreachable"
	codeUnconfirmed = "confirmation_required" // --yes is missing
	codeInterrupted = "interrupted"
	codeFailed      = "failed"
	codeWrongLines  = "wrong_lines" // of a file to import
	codeNotFound    = "not_found"   // as the server says it
)

// failure is how a command ended: the one form that all errors get before they
// are printed, and what is printed with --output json.
type failure struct {
	Code     string    `json:"error"`
	Message  string    `json:"message"`
	Flag     string    `json:"flag,omitempty"`     // such as --scope
	Argument string    `json:"argument,omitempty"` // as in the usage, such as ID
	Field    string    `json:"field,omitempty"`    // member of the admin API
	Hint     string    `json:"hint,omitempty"`     // what to do next
	Problems []problem `json:"problems,omitempty"` // of a configuration or of a file to import, if there are several too
	ExitCode int       `json:"exit_code"`
}

// problem is one fault: of a key of a configuration, or of a line of a file to import.
type problem struct {
	Key     string `json:"key,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// Error returns the message and the hint.
func (f *failure) Error() string {
	switch {
	case f.Hint == "":
		return f.Message
	case strings.HasPrefix(f.Hint, "see '"):
		return f.Message + "; " + f.Hint
	case f.Code == codeUnconfirmed:
		return f.Message + "\n" + f.Hint
	}
	return f.Message + ": " + f.Hint
}

// report prints a failure, and returns its exit code. Text has one line for each
// line of the message; JSON is one object on one line.
func (a *app) report(f *failure) int {
	if a.output == outputJSON {
		a.note(f)
		return f.ExitCode
	}
	for line := range strings.SplitSeq(f.Error(), "\n") {
		a.say("%s", line)
	}
	return f.ExitCode
}

// note prints v on standard error, as JSON on one line.
func (a *app) note(v any) {
	if b, err := json.Marshal(v); err == nil {
		fmt.Fprintf(a.err, "%s\n", b)
	}
}

// failureOf returns the failure for the error of the command c.
func (a *app) failureOf(ctx context.Context, c *cobra.Command, err error) *failure {
	var known *failure
	var response *responseError
	var unreachable *unreachableError
	var faults config.Faults
	var lines *importer.LinesError
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return &failure{Code: codeInterrupted, Message: "interrupted", ExitCode: exitFailed}
	case errors.As(err, &faults):
		return configFailure(faults, err)
	case errors.As(err, &lines):
		return linesFailure(lines, err)
	case errors.As(err, &response):
		return a.responseFailure(ctx, c, response, err)
	case errors.As(err, &unreachable):
		return &failure{Code: codeUnreachable, Message: err.Error(), Hint: unreachable.hint, ExitCode: exitFailed}
	}
	if f := missingFile(c, err); f != nil {
		return f
	}
	return &failure{Code: codeFailed, Message: err.Error(), ExitCode: exitFailed}
}

func configFailure(faults config.Faults, err error) *failure {
	f := &failure{Code: codeConfig, Message: err.Error(), ExitCode: exitFailed}
	for _, fault := range faults {
		f.Problems = append(f.Problems, problem{Key: fault.Path, Message: visible(fault.Problem)})
	}
	return f
}

func linesFailure(lines *importer.LinesError, err error) *failure {
	f := &failure{Code: codeWrongLines, Message: err.Error(), ExitCode: exitFailed}
	for _, l := range lines.Lines {
		f.Problems = append(f.Problems, problem{Line: l.Line, Message: visible(l.Message)})
	}
	return f
}

// missingFile returns the failure for a file that the command line names and that
// does not exist, or nil for any other error.
func missingFile(c *cobra.Command, err error) *failure {
	var at *fs.PathError
	if !errors.As(err, &at) || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	flagName, argument := "", ""
	c.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Value.String() == at.Path {
			flagName = "--" + flag.Name
		}
	})
	if i := slices.Index(c.Flags().Args(), at.Path); flagName == "" && i >= 0 && i < len(operandsOf(c)) {
		argument = operandsOf(c)[i]
	}
	if flagName == "" && argument == "" {
		return nil
	}
	return noFile(flagName, argument, at.Path)
}

// noFile returns the failure for a file that does not exist. Either the flag or the
// argument names it.
func noFile(flag, argument, file string) *failure {
	return &failure{
		Code: codeWrongValue, Flag: flag, Argument: argument, ExitCode: exitUsage,
		Message: fmt.Sprintf("%s: the file %s does not exist", flag+argument, file),
	}
}

var (
	flagIn     = regexp.MustCompile(`--[a-z][a-z-]*`)
	argumentIn = regexp.MustCompile(`^([A-Z][A-Z_]*) (?:is|must) `)
)

// misuse returns the failure of a command line that cannot be run. If the message
// begins with an argument or names a flag, the failure has its name.
func misuse(c *cobra.Command, format string, args ...any) error {
	f := &failure{Code: codeWrongUse, Message: withoutGo(fmt.Sprintf(format, args...)), ExitCode: exitUsage}
	f.Hint = fmt.Sprintf("see '%s --help'", c.CommandPath())
	if m := argumentIn.FindStringSubmatch(f.Message); m != nil {
		f.Argument = m[1]
	} else {
		f.Flag = flagIn.FindString(f.Message)
	}
	return f
}

// fromStrconv matches what pflag repeats from Go's strconv.
var fromStrconv = regexp.MustCompile(`strconv\.Parse(Bool|\w+): .*$`)

// withoutGo says what strconv reports in words.
func withoutGo(message string) string {
	m := fromStrconv.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	must := "must be a whole number"
	if m[1] == "Bool" {
		must = "must be true or false, or be left out"
	}
	return strings.Replace(message, m[0], must, 1)
}

// wantsJSON reports whether the command line asks for JSON. It is used for a line
// that cannot be parsed up to --output.
func wantsJSON(args []string) bool {
	for i, word := range args {
		if word == "--" {
			return false
		}
		if word == "--output=json" || word == "--output" && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return false
}
