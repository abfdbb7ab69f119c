package tokens

import (
	"testing"
	"time"
)

// FuzzReadChangedToken shows that a token is read with its end, and that it is
// refused once a byte is changed, inserted or cut off. To get a change past the
// check of 64 bits would take 2^64 tries.
func FuzzReadChangedToken(f *testing.F) {
	for i := range 54 {
		f.Add(uint32(60), i, byte(1), "")
	}
	f.Add(uint32(0), 0, byte(0), "x")
	f.Add(uint32(1440), 53, byte(0x20), "\n")
	f.Add(uint32(1<<23), 10, byte(0x80), "A")
	k := ring(f, "gt_sandbox_", key(1, now))
	f.Fuzz(func(t *testing.T, minutes uint32, at int, change byte, insert string) {
		end := epoch.Add(time.Duration(minutes%(1<<24)) * time.Minute)
		token := k.Make(end)
		if got, ok := k.Read(token); !ok || !got.Equal(end) {
			t.Fatalf("end %v: read %v %v", end, got, ok)
		}
		if at < 0 {
			at = -(at + 1)
		}
		at %= len(token)
		b := []byte(token)
		b[at] ^= change
		changed := string(b[:at]) + insert + string(b[at:])
		if _, ok := k.Read(changed); ok && changed != token {
			t.Errorf("changed at %d and still read", at)
		}
		if _, ok := k.Read(token[:at]); ok {
			t.Errorf("cut at %d and still read", at)
		}
		if _, ok := k.Read(token[at:]); ok && at > 0 {
			t.Errorf("without its first %d bytes and still read", at)
		}
	})
}

// FuzzReadAnything shows that only tokens of this server are read.
func FuzzReadAnything(f *testing.F) {
	for _, s := range []string{"", "gt_sandbox_", "gt_sandbox_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\xff", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="} {
		f.Add(s)
	}
	k := ring(f, "gt_sandbox_", key(1, now), key(2, now))
	f.Fuzz(func(t *testing.T, presented string) {
		if _, ok := k.Read(presented); ok {
			t.Error("read")
		}
	})
}
