// Package parallel sets how many tests of a package run at the same time, for
// packages whose tests mostly wait for clocks and other processes, not for
// processors.
package parallel

import (
	"flag"
	"net/http"
	"strconv"
	"testing"
)

// Main runs the tests of a package, atOnce of those that are parallel at the
// same time, and returns the exit code. TestMain calls it. The flag -parallel
// wins over atOnce.
func Main(m *testing.M, atOnce int) int {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 256
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			panic(err)
		}
	}
	return m.Run()
}
