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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ, Reload: hangups})
	stop()
	os.Exit(code)
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
