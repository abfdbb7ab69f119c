package credential

import (
	"crypto/rand"
	"encoding/base64"
	"testing"
)

// TestLooksSecret shows what is kept out of the log where a name belongs.
func TestLooksSecret(t *testing.T) {
	secret, _, _ := NewSecret("sandbox")
	for value, want := range map[string]bool{
		"billing": false, "billing-service-eu1": false, "users:read": false, "https://api.example.com/read": false, "BillingProd2": false,
		"gc_0123456789abcdefABCDEF": false, "2f1c9f0e-8a5e-4c11-9d2c-6a1b7e9f0c3d": false, "app.v2.2026": false,
		secret: true, secret[:12]: true, "gt_live_x": true, "gp_": true, "gv_x": true,
		"s3cr3tPassw0rdForBilling": true, "0123456789abcdef0123456789abcdef": true, "eyJhbGciOiJub25lIn0.e30.": true,
		"Zm9vYmFy-_MTIzNDU2Nzg5MDEyMzQ": true, "123456": true, "15555550136": true, "right-0123456789": true,
	} {
		if got := LooksSecret(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// TestLooksSecretOfOthers: secrets that other systems made are shorter than grantd's, and
// a name may have a few digits.
func TestLooksSecretOfOthers(t *testing.T) {
	for want, values := range map[bool][]string{
		true: {
			"Xk29fjQ81lmZ04pa", "Tr0ub4dor", "s3cr3tPw", "Passw0rd", "Summer2026", "k3j9x0q2w", "aB3xK-9fQ2z", "XkfjQlmZpaWe", "deadbeef01ab",
			"555-555-0136", "tel:555-555-0136", "+1-555-555-0136", "12.34.56", "code-123-456", "2f1c9f0e-8a5e-4c11-9d2c-6a1b7e9f0c3", "2f1c9f0e_8a5e_4c11_9d2c_6a1b7e9f0c3d",
		},
		false: {
			"billing-2", "svc-eu-west-1", "billing12", "BillingProd2", "Billing-Prod-2", "EUBillingService", "BillingApiV2", "userApiV2", "oauth2-proxy", "team-k8s-prod",
			"api.v2", "v1", "app-v2-eu1-b3", "users:read", "https://api2.example.com/v1/read", "2F1C9F0E-8A5E-4C11-9D2C-6A1B7E9F0C3D", "", "12345",
		},
	} {
		for _, value := range values {
			if got := LooksSecret(value); got != want {
				t.Errorf("%q: %v", value, got)
			}
		}
	}
}

// TestLooksSecretOfRandom: nearly all random texts are recognized, even if they are
// short.
func TestLooksSecretOfRandom(t *testing.T) {
	const total = 10_000
	for _, row := range []struct{ bytes, missed int }{{6, 1_500}, {9, 800}, {12, 400}, {24, 20}} {
		missed := 0
		for range total {
			b := make([]byte, row.bytes)
			_, _ = rand.Read(b)
			if !LooksSecret(base64.RawURLEncoding.EncodeToString(b)) {
				missed++
			}
		}
		if missed > row.missed {
			t.Errorf("%d bytes: %d of %d are taken for names", row.bytes, missed, total)
		}
	}
}
