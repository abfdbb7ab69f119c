package metrics_test

import (
	"os"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, 8)) }
