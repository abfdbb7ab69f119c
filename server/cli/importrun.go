package cli

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/cli/importer"
	"github.com/grantd/grantd/server/imports"
)

// dryRunFlag adds the flag that imports have in common.
func dryRunFlag(c *cobra.Command, dryRun *bool) {
	c.Flags().BoolVar(dryRun, "dry-run", false, "check everything and say what would happen, but write nothing")
}

// runImport imports a file with the name, or standard input for "-".
func runImport[T any](c *cobra.Command, a *app, name string, run importer.Importer[T], call func(*api) importer.Call[T]) error {
	server, err := a.connect(c)
	if err != nil {
		return err
	}
	if run.Source, err = a.openSource(c.Context(), name); err != nil {
		return err
	}
	if isTerminal(a.err) {
		run.Terminal = a.err
	}
	run.Call = call(server)
	return doImport(c.Context(), a, run)
}

func doImport[T any](ctx context.Context, a *app, run importer.Importer[T]) error {
	run.Notify, run.FaultsInError = a.say, a.output == outputJSON
	tally, err := run.Run(ctx)
	if tally == nil {
		return err
	}
	if a.output != outputJSON {
		a.println("%s", tally.Summary())
	} else if printErr := a.printJSON(tally); printErr != nil {
		return printErr
	}
	return err
}

// importPart makes one request of an import.
func (c *api) importPart(ctx context.Context, kind string, body any, retrying importer.Notify) (imports.Response, error) {
	request := call{method: http.MethodPost, path: path(kind, "import"), body: body, idempotent: true}
	var response []byte
	var err error
	if retrying == nil {
		response, err = c.do(ctx, request)
	} else {
		response, err = c.doWithRetry(ctx, request, retrying)
	}
	if err != nil {
		return imports.Response{}, err
	}
	return decode[imports.Response](response)
}
