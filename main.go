// Command grantd is an OAuth 2.0 server for the client credentials grant. Its
// commands are in server/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/grantd/grantd/server/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ})
	stop()
	os.Exit(code)
}
