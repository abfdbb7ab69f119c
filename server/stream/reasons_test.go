package stream

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/apierr"
)

// TestReasonsAreExplained: metrics and log have one name for why a stream is refused, and
// the guide for operators says what to do about each reason.
func TestReasonsAreExplained(t *testing.T) {
	for reason, err := range map[string]error{RefusedReplica: errReplica, RefusedClient: errClient, RefusedRate: errRate} {
		e, ok := errors.AsType[*apierr.Error](err)
		if !ok || e.Unwrap() == nil || e.Unwrap().Error() != reason {
			t.Errorf("the metrics say %s, the log: %v", reason, errors.Unwrap(err))
		}
	}
	b, err := os.ReadFile("../../deploy/OPERATING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "### Streams of revocations")
	section, _, _ = strings.Cut(section, "\n#")
	reasons := append([]string{string(ResetUnknown), string(ResetBehind), string(ResetRecovered), string(ResetRegistration), string(ResetKeys)}, Refusals...)
	for _, end := range Ends {
		reasons = append(reasons, string(end))
	}
	for _, reason := range reasons {
		if strings.Count(section, "| `"+reason+"` |") != 1 {
			t.Errorf("OPERATING.md has no row, or several, for %s", reason)
		}
	}
}
