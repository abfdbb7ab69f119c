package harness

import (
	"flag"
	"net/http"
	"testing"
)

// Main runs the tests of a package, atOnce of those that are parallel at the
// same time: most of them wait for clocks, not for processors. TestMain calls
// it. The flag -parallel wins over atOnce.
func Main(m *testing.M, atOnce string) {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 256
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err)
		}
	}
	m.Run() // the process ends with its code
}
