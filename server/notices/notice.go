package notices

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/grantd/grantd/store"
)

// The kinds of notices, which NOTICES.md explains.
const (
	kindSecretEnds         = "secret_ends"
	kindSecretUnused       = "secret_unused"
	kindPartnerTokenEnds   = "partner_token_ends"
	kindPartnerTokenUnused = "partner_token_unused"
	kindKeyEnds            = "api_key_ends"
	kindKeyUnused          = "api_key_unused"
	kindCertificateEnds    = "certificate_ends"
	kindCustomerLocked     = "customer_locked"
	kindQuotaExceeded      = "quota_exceeded"
	kindLeaked             = "credential_leaked"
	kindRolledBack         = "store_rolled_back"
	kindTest               = "test"
)

// Payload is the body of a post. Later versions may add members; none is ever left out.
type Payload struct {
	ID          string          `json:"id"`
	Kind        string          `json:"kind"`
	At          time.Time       `json:"at"`
	Environment string          `json:"environment"`
	Issuer      string          `json:"issuer"`
	Subject     string          `json:"subject"`
	Summary     string          `json:"summary"`
	Details     json.RawMessage `json:"details"`
}

// details are the members of a notice that depend on its kind.
type details map[string]any

// build returns a notice. parts tell it from other notices of its kind: every replica
// gives the same notice the same id.
func build(kind string, at, now time.Time, subject, summary string, d details, parts ...any) store.Notice {
	h := sha256.New()
	for _, part := range append([]any{kind, subject}, parts...) {
		text := fmt.Sprint(part)
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	form, err := json.Marshal(d)
	if err != nil { // the values are strings, numbers and times
		form = []byte("{}")
	}
	return store.Notice{
		ID: "n_" + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:15]), Kind: kind, At: at.UTC(), Subject: subject,
		Summary: summary, Details: string(form), Queued: now.UTC(),
	}
}

// body returns what is posted for the notice.
func (s *Service) body(n store.Notice) ([]byte, error) {
	return json.Marshal(Payload{
		ID: n.ID, Kind: n.Kind, At: n.At.UTC(), Environment: s.o.Environment, Issuer: s.o.Issuer(), Subject: n.Subject,
		Summary: n.Summary, Details: json.RawMessage(n.Details),
	})
}

const day = 24 * time.Hour

// before are the days before an end at which a notice is sent.
var before = []int{30, 14, 7, 1}

// unusedFor is how long a credential is not used until a notice is sent.
const unusedFor = 90 * day

// findStep returns how many days before the end a notice is due: the last of the steps
// that the time has passed, if it passed it after since. The zero since: whenever it did.
func findStep(end, since, now time.Time) (days int, due bool) {
	if !end.After(now) {
		return 0, false
	}
	for _, d := range before {
		if at := end.Add(-time.Duration(d) * day); !at.After(now) {
			days, due = d, at.After(since)
		}
	}
	return days, due
}

// dayCount returns "1 day" or "7 days".
func dayCount(days int) string {
	if days == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", days)
}
