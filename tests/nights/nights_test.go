// Package nights has the stories of bad nights: something broke, leaked or was
// lost, and an operator mends it by a page of OPERATING.md, in three commands at
// most. See package story for the commands.
package nights

import (
	"os"
	"testing"

	"github.com/grantd/grantd/tests/parallel"
	"github.com/grantd/grantd/tests/story"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 6)) }

func TestNights(t *testing.T) {
	t.Parallel()
	story.Run(t, ".")
}
