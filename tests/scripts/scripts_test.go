// Package scripts has the stories of using grantd: a manual in commands. See
// package story for the commands.
package scripts

import (
	"os"
	"testing"

	"github.com/grantd/grantd/tests/parallel"
	"github.com/grantd/grantd/tests/story"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 6)) }

func TestScripts(t *testing.T) {
	t.Parallel()
	story.Run(t, ".")
}
