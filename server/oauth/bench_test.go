package oauth

import (
	"testing"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

func BenchmarkRenderIssued(b *testing.B) {
	b.ReportAllocs()
	issued := tokens.IssuedToken{Token: "gt_sandbox_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXU", Scope: "users:read customers", IssuedAt: time.Unix(1687436422, 0), ExpiresIn: 2 * time.Hour}
	buffer := make([]byte, 0, 1024)
	for b.Loop() {
		buffer = appendTokenResponse(buffer[:0], &issued, false)
	}
}

func BenchmarkRenderActive(b *testing.B) {
	at := time.Unix(1687436422, 0)
	f := tokens.Found{
		Token: &store.Token{Use: store.UseClient, ClientID: "billing", SecretID: "a1B2c3D4", Scopes: "users:read customers", IssuedAt: at, ExpiresAt: at.Add(2 * time.Hour)},
		Mark:  feed.Mark{Position: store.Position{Time: 1753488000123, Seq: 4}},
	}
	jti, keys := tokens.ID(f.Digest), voidKeys()
	for name, follow := range map[string]bool{"plain": false, "follow": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buffer := make([]byte, 0, 1024)
			for b.Loop() {
				buffer = appendActive(buffer[:0], f, jti, "https://auth.example.com")
				if follow {
					buffer = appendFollow(buffer, keys, f)
				}
			}
			b.ReportMetric(float64(len(buffer)+1), "bytes")
		})
	}
}
