package phone_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/phone"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"+15555550136", "+15555550136"},
		{"+1 (555) 555-0136", "+15555550136"},
		{"+1.555.555/0136", "+15555550136"},
		{" +15555550136\n", "+15555550136"},
		{"+34 612 345 678", "+34612345678"},
		{"+44 20 7946 0018", "+442079460018"},
		{"+44 (0)20 7946 0018", "+442079460018"}, // the trunk prefix is no part of the number
	} {
		if got, err := phone.Parse(c.in); got != c.want || err != nil {
			t.Errorf("Parse(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for name, in := range map[string]string{
		"empty": "", "plus": "+", "without a country code": "5555550136", "by 00": "0015555550136", "letters": "+1555CALLNOW",
		"too short": "+1555", "too long": "+1555555013655555", "no such country": "+9995555550136", "changes when read again": "+88000000000", "16 digits": "+8110000000000000", "extension": "+15555550136;ext=5",
		"extension in words": "+15555550136 ext 5", "tel uri": "tel:+15555550136", "full-width digits": "+１５５５５５５０１３６",
		"Arabic digits": "+١٥٥٥٥٥٥٠١٣٦", "a line end within": "+1555555\n0136", "NUL": "+15555550136\x00", "33 characters": "+1" + strings.Repeat(" ", 21) + "5555550136",
	} {
		if got, err := phone.Parse(in); got != "" || !errors.Is(err, phone.ErrNumber) {
			t.Errorf("%s: Parse(%q) = %q, %v, want ErrNumber", name, in, got, err)
		}
	}
}

// TestParseTakesOneNumber checks that a text with two numbers is refused: the
// message could go to another number than the one that was compared.
func TestParseTakesOneNumber(t *testing.T) {
	for _, in := range []string{"+15555550136/7", "+15555550136 +15555550137", "+15555550136/+15555550137", "+15555550136+7"} {
		if got, err := phone.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %q", in, got)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct{ code, number, want string }{
		{"1", "5555550136", "+15555550136"},
		{"+1", "5555550136", "+15555550136"},
		{"1", "(555) 555-0136", "+15555550136"},
		{"34", "612345678", "+34612345678"},
		{"", "5555550136", ""},
		{"+", "5555550136", ""},
		{"++1", "5555550136", ""},
		{"1 ", "5555550136", ""},
		{"one", "5555550136", ""},
		{"1555", "5550136", ""},
		{"1", "", ""},
		{"1", "+15555550136", ""},
		{"1", "555", ""},
		{"1", "５５５５５５０１３６", ""},
		{"-1", "5555550136", ""},
		{"0", "5555550136", ""},
	} {
		got, err := phone.Join(c.code, c.number)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, phone.ErrNumber) {
			t.Errorf("Join(%q, %q) = %q, %v, want %q", c.code, c.number, got, err, c.want)
		}
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"+15555550136": "+*******0136", "+12345": "+*2345", "+1234": "****", "": "", "+": "", "5555550136": "+******0136",
	} {
		if got := phone.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzParse checks that a parsed number is parsed to itself, so that numbers can be
// compared as texts, and that a masked one shows at most its last four digits.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"+15555550136", "+1 (555) 555-0136", "+44 (0)20 7946 0018", "+34612345678", "+39 06 698 1234", "+800 1234 5678", "+0", "+1/2", "+(1)", "++", "", "+88000000000", "+4900", "+8110000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e164, err := phone.Parse(s)
		if err != nil {
			if e164 != "" || !errors.Is(err, phone.ErrNumber) {
				t.Fatalf("Parse(%q) = %q, %v", s, e164, err)
			}
			return
		}
		if e164[0] != '+' || len(e164) > 16 || strings.Trim(e164[1:], "0123456789") != "" {
			t.Fatalf("Parse(%q) = %q, which is not E.164", s, e164)
		}
		if again, err := phone.Parse(e164); again != e164 || err != nil {
			t.Fatalf("Parse(%q) = %q, which is parsed to %q, %v", s, e164, again, err)
		}
		masked := phone.Mask(e164)
		if got := strings.Trim(masked, "+*"); len(got) > 4 || !strings.HasSuffix(e164, got) {
			t.Fatalf("Mask(%q) = %q", e164, masked)
		}
	})
}
