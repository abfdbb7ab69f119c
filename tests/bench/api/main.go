// Command api is an API behind a gateway, for the benchmark: it responds to every
// request, after the time that it is told.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// run serves until the process is ended.
func run() error {
	after := flag.Duration("after", 0, "how long a request takes")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("ready public=http://" + l.Addr().String())
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if *after > 0 {
			time.Sleep(*after) // what it would do, such as a query of a database
		}
		_, _ = io.WriteString(w, "ok")
	})}
	return s.Serve(l)
}
