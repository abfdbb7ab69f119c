package notices

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/grantd/grantd/store"
)

// Certificate is a certificate that a listener of this process uses.
type Certificate struct {
	Listener string
	Leaf     *x509.Certificate
}

// certificatesEvery is how often each replica looks at its certificates.
const certificatesEvery = time.Minute

// offerCertificates queues the notices of this replica's certificates, no matter which replica holds
// the queue: only the replica itself knows them. Replicas with the same certificate
// make the same notice, which is queued once.
func (s *Service) offerCertificates(ctx context.Context, q store.NoticeQueue, now time.Time) (store.NoticeQueue, error) {
	if now.Sub(s.looked) < certificatesEvery && !s.looked.IsZero() {
		return q, nil
	}
	var list []store.Notice
	for _, c := range s.o.Certificates() {
		if days, due := findStep(c.Leaf.NotAfter, time.Time{}, now); due {
			list = append(list, c.notice(days, now))
		}
	}
	if len(list) > 0 {
		var err error
		if q, err = s.update(ctx, q, func(q *store.NoticeQueue) bool { return len(q.Pending) < maxPending && enqueue(q, list, now) }); err != nil {
			return q, err
		}
	}
	s.looked = now
	return q, nil
}

func (c Certificate) notice(days int, now time.Time) store.Notice {
	sum := sha256.Sum256(c.Leaf.Raw)
	fingerprint, end := hex.EncodeToString(sum[:]), c.Leaf.NotAfter
	summary := fmt.Sprintf("the certificate of the listener %s ends within %s, at %s: replace it", c.Listener, dayCount(days), end.UTC().Format(time.RFC3339))
	d := details{"listener": c.Listener, "fingerprint_sha256": fingerprint, "expires_at": timeOrNull(end), "days": days}
	return build(kindCertificateEnds, end.Add(-time.Duration(days)*day), now, "certificate:"+c.Listener, summary, d, fingerprint, days)
}
