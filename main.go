// Command grantd is an OAuth 2.0 server for the client credentials grant. Package
// server/cli has its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/grantd/grantd/server/cli"
)

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go awaitEnd(signals, stop)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ, Reload: hangups})
	os.Exit(code)
}

// awaitEnd stops the program at the first SIGINT or SIGTERM. A second one ends the
// process at once.
func awaitEnd(signals chan os.Signal, stop context.CancelCauseFunc) {
	received := <-signals
	signal.Stop(signals)
	if received == syscall.SIGTERM {
		stop(cli.ErrTerminated)
	} else {
		stop(nil)
	}
}

// hangups returns a channel that receives a value for each SIGHUP.
func hangups() <-chan struct{} {
	signals, reload := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for range signals {
			reload <- struct{}{}
		}
	}()
	return reload
}
