package voidkeys

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
)

func encoder(key string) *Encoder {
	e := &Encoder{}
	e.Use([]byte(key))
	return e
}

func TestKeys(t *testing.T) {
	ours, replica, other := encoder("one"), encoder("one"), encoder("another")
	token := store.Token{ClientID: "shop", SecretID: "4fTz81Qk", OrgID: "h5D8B5gyHtk=", CustomerID: "10001", PartnerID: "hurdlr", PartnerTID: "7hQz20Lm"}
	seen := map[string]string{}
	add := func(name string, key []byte) {
		t.Helper()
		if len(key) != 11 || strings.Trim(string(key), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%s: %q is not 11 characters of base64url", name, key)
		}
		if before, ok := seen[string(key)]; ok {
			t.Errorf("%s and %s have the same key", name, before)
		}
		seen[string(key)] = name
	}
	var room store.PrincipalBuffer
	for _, p := range token.Principals(&room) {
		name := string(p.Append(nil))
		key := ours.AppendKey(nil, p)
		add(name, key)
		if !bytes.Equal(key, ours.AppendKeyOf(nil, name)) || !bytes.Equal(key, replica.AppendKeyOf(nil, name)) {
			t.Errorf("%s: the keys of the principal, of its text, and of another replica differ", name)
		}
		if bytes.Equal(key, other.AppendKeyOf(nil, name)) {
			t.Errorf("%s: another environment has the same key", name)
		}
	}
	d := store.Digest{1, 2, 3}
	add("token", ours.AppendTokenKey(nil, d))
	if !bytes.Equal(ours.AppendTokenKey(nil, d), ours.AppendKeyOf(nil, store.PrincipalToken(d))) {
		t.Error("the keys of a token and of its principal differ")
	}
	if got := ours.AppendKeyOf([]byte("before "), "all"); !bytes.HasPrefix(got, []byte("before ")) {
		t.Errorf("%q was overwritten", got)
	}
}

// TestKeyIsPinned fails if the derivation changes: replicas of two versions share a
// store, and followers compare what both send.
func TestKeyIsPinned(t *testing.T) {
	e := encoder("0123456789abcdef0123456789abcdef")
	if got := string(e.AppendKeyOf(nil, "client:shop")); got != "KF5LGJ8LzGs" {
		t.Errorf("void key %q", got)
	}
	if got := string(e.AppendPosition(nil, store.Position{Time: 1753488000123, Seq: 4})); got != "6pvvddov0hcrcbltmuigj5vt8g" {
		t.Errorf("position %q", got)
	}
}

func TestPositionsCompareAsText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e := encoder("one")
	list := []store.Position{{}, {Seq: 1}, {Seq: math.MaxUint64}, {Time: 1}, {Time: 1, Seq: math.MaxUint64}, {Time: 1 << 61}}
	for range 500 {
		list = append(list, store.Position{Time: r.Uint64() >> 2, Seq: r.Uint64()}, store.Position{Seq: r.Uint64() >> 40})
	}
	for _, p := range list {
		a := string(e.AppendPosition(nil, p))
		if back, ok := e.ParsePosition(a); !ok || back != p || len(a) != PositionLength {
			t.Fatalf("%v became %q and then %v %v", p, a, back, ok)
		}
		if strings.Contains(a, p.String()) {
			t.Errorf("%q shows the position", a)
		}
		for _, q := range list {
			if b := string(e.AppendPosition(nil, q)); strings.Compare(a, b) != p.Compare(q) {
				t.Fatalf("%v and %v compare differently as text: %q, %q", p, q, a, b)
			}
		}
	}
}

func TestWhatIsNoPosition(t *testing.T) {
	e := encoder("one")
	real := string(e.AppendPosition(nil, store.Position{Time: 1753488000123, Seq: 4}))
	for name, text := range map[string]string{
		"empty": "", "short": real[1:], "long": real + "0", "upper case": strings.ToUpper(real), "a position of Redis": "1753488000123-4",
		"another letter": "z" + real[1:], "a line break": real[:25] + "\n", "spare bits": real[:25] + "1", "before the first one": strings.Repeat("0", PositionLength),
		"after the last one": strings.Repeat("v", 25) + "s",
	} {
		if p, ok := e.ParsePosition(text); ok {
			t.Errorf("%s: %q is the position %v", name, text, p)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	e := encoder("one")
	f.Add(string(e.AppendPosition(nil, store.Position{Time: 1753488000123, Seq: 4})))
	f.Add("")
	f.Add("1753488000123-4")
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := e.ParsePosition(text); ok && string(e.AppendPosition(nil, p)) != text {
			t.Errorf("%q became %v, which is another text", text, p)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	e, room := encoder("one"), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		e.AppendTokenKey(room, store.Digest{1})
	}
}
