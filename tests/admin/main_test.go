package admin_test

import (
	"os"
	"testing"

	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 8)) }
