package tokens

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func key(id uint8, created time.Time) store.TokenKey {
	return store.TokenKey{ID: id, Key: bytes.Repeat([]byte{id}, 32), CreatedAt: created}
}

func ring(t testing.TB, prefix string, keys ...store.TokenKey) *Keyring {
	t.Helper()
	k := NewKeyring(prefix)
	if err := k.Use(keys); err != nil {
		t.Fatal(err)
	}
	return k
}

// now is any time after the epoch of tokens.
var now = time.Date(2026, 7, 26, 12, 0, 30, 0, time.UTC)

func TestTokenForm(t *testing.T) {
	for _, prefix := range []string{"gt_sandbox_", "", "x", strings.Repeat("p", maxPrefix)} {
		token := ring(t, prefix, key(1, now)).Make(now)
		if len(token) != len(prefix)+43 || !strings.HasPrefix(token, prefix) {
			t.Errorf("prefix %q: a token of another form", prefix)
		}
	}
}

// TestRandomBits shows that 160 bits of a token are random, and that none of its
// bits is the same in all tokens with the same key and end.
func TestRandomBits(t *testing.T) {
	const n = 64
	k := ring(t, "", key(1, now))
	var ones [8 * tokenBytes]int
	seen := map[string]bool{}
	for range n {
		b, err := encoding.DecodeString(k.Make(now))
		if err != nil || len(b) != tokenBytes {
			t.Fatal(err)
		}
		seen[string(b[:randomBytes])] = true
		for i := range ones {
			ones[i] += int(b[i/8]>>(i%8)) & 1
		}
	}
	if len(seen) != n || randomBytes*8 < 160 {
		t.Errorf("%d different of %d, %d random bytes", len(seen), n, randomBytes)
	}
	for i, count := range ones { // wrong by chance once in 2^55 runs
		if count == 0 || count == n {
			t.Errorf("bit %d of byte %d is always the same", i%8, i/8)
		}
	}
}

func TestRead(t *testing.T) {
	k := ring(t, "gt_sandbox_", key(1, now))
	other := ring(t, "gt_sandbox_", store.TokenKey{ID: 1, Key: bytes.Repeat([]byte{9}, 32), CreatedAt: now})
	live := ring(t, "gt_live_", store.TokenKey{ID: 1, Key: bytes.Repeat([]byte{8}, 32), CreatedAt: now})
	token := k.Make(now)
	for name, presented := range map[string]string{
		"another key":              other.Make(now),
		"another environment":      live.Make(now),
		"renamed environment":      strings.Replace(token, "sandbox", "live", 1),
		"no prefix":                token[len("gt_sandbox_"):],
		"prefix twice":             "gt_sandbox_" + token,
		"padding":                  token + "=",
		"newline inside":           token[:20] + "\n" + token[20:],
		"newline behind":           token + "\n",
		"empty":                    "",
		"43 characters":            strings.Repeat("A", 43),
		"too long":                 strings.Repeat("A", maxPresented+1),
		"standard base64 alphabet": token[:len(token)-2] + "+/",
	} {
		if _, ok := k.Read(presented); ok {
			t.Errorf("%s: read", name)
		}
	}
	if _, ok := other.Read(token); ok {
		t.Error("read with another key")
	}
}

// TestExpiryIsReadable shows that the end of life is read, rounded up to the
// minute.
func TestExpiryIsReadable(t *testing.T) {
	k := ring(t, "gt_sandbox_", key(1, now))
	for _, row := range []struct{ end, want time.Time }{
		{now, now.Truncate(time.Minute).Add(time.Minute)},
		{now.Truncate(time.Minute), now.Truncate(time.Minute)},
		{now.Truncate(time.Minute).Add(time.Second), now.Truncate(time.Minute).Add(time.Minute)},
		{epoch.Add(time.Minute), epoch.Add(time.Minute)},
		{epoch.AddDate(30, 0, 0), epoch.AddDate(30, 0, 0)},
	} {
		if got, ok := k.Read(k.Make(row.end)); !ok || !got.Equal(row.want) {
			t.Errorf("end %v: read %v %v, want %v", row.end, got, ok, row.want)
		}
	}
}

// TestTokensOutliveChanges shows that a token outlives a change of token.prefix
// and of the newest key.
func TestTokensOutliveChanges(t *testing.T) {
	first, second := key(1, now), key(2, now.Add(time.Hour))
	old := ring(t, "gt_sandbox_", first).Make(now)
	if _, ok := ring(t, "acme_", first).Read(old); !ok {
		t.Error("not read under another prefix")
	}
	if _, ok := ring(t, "", first).Read(old); !ok {
		t.Error("not read without a prefix")
	}
	both := ring(t, "gt_sandbox_", second, first)
	if _, ok := both.Read(old); !ok {
		t.Error("not read beside a new key")
	}
	renewed := both.Make(now)
	if _, ok := ring(t, "gt_sandbox_", first).Read(renewed); ok {
		t.Error("the old key still makes tokens")
	}
	if _, ok := ring(t, "gt_sandbox_", second).Read(renewed); !ok {
		t.Error("the newest key does not make tokens")
	}
	if _, ok := ring(t, "gt_sandbox_", second).Read(old); ok {
		t.Error("read without the key that made it")
	}
}

func TestOffer(t *testing.T) {
	fresh := NewKeyring("")
	a, b := fresh.Offer(now), fresh.Offer(now)
	if len(a.Key) != 32 || bytes.Equal(a.Key, b.Key) || !a.CreatedAt.Equal(now) {
		t.Error("a fresh key is not 32 random bytes of now")
	}
	used := ring(t, "", key(1, now), key(2, now.Add(time.Hour)))
	if got := used.Offer(now); got.ID != 2 {
		t.Errorf("a replaced store is offered key %d, want the newest in use", got.ID)
	}
	if err := NewKeyring("").Use(nil); err == nil {
		t.Error("a store without keys is accepted")
	}
}

func TestID(t *testing.T) {
	d := DigestOf("a token")
	if got, ok := ParseID(ID(d)); !ok || got != d {
		t.Error("it differs after it was written and read again")
	}
	for _, bad := range []string{"", "x", ID(d) + "=", ID(d)[:42], ID(d)[:42] + "\n", ID(d)[:42] + "+"} {
		if _, ok := ParseID(bad); ok {
			t.Errorf("%q is read", bad)
		}
	}
}

func BenchmarkMake(b *testing.B) {
	k := ring(b, "gt_sandbox_", key(1, now))
	end := now.Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		k.Make(end)
	}
}

// BenchmarkRead measures what a token costs that is not in the cache, before the
// store is asked. A made-up one costs no more than that.
func BenchmarkRead(b *testing.B) {
	k := ring(b, "gt_sandbox_", key(1, now))
	token := k.Make(now.Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := k.Read(token); !ok {
			b.Fatal("not read")
		}
	}
}
