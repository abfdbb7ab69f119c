// Package phone reads telephone numbers into the one form in which they are
// kept and compared, E.164, and masks them for people. It is the only importer
// of nyaruka/phonenumbers.
package phone

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrNumber says that a text is no telephone number. It holds none of it.
var ErrNumber = errors.New("must be a telephone number with its country code, such as +15555550136")

// E.164 has 15 digits; people add separators.
const (
	maxDigits = 15
	maxLen    = 32 // of what is looked at
)

// Parse reads a number with its country code, such as "+1 (555) 555-0136". A
// possible number is enough: those for tests belong to nobody (contract §5).
// Errors: ErrNumber.
func Parse(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxLen || !strings.HasPrefix(s, "+") || strings.Trim(s, "+0123456789 ()-./") != "" {
		return "", ErrNumber
	}
	e164, ok := format(s)
	if !ok {
		return "", ErrNumber
	}
	// Of some impossible numbers each reading takes off another digit, as the
	// prefix of calls within the country: they would not equal themselves.
	if again, ok := format(e164); !ok || again != e164 {
		return "", ErrNumber
	}
	return e164, nil
}

func format(s string) (e164 string, ok bool) {
	n, err := phonenumbers.Parse(s, "")
	if err != nil || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE { // not within its area only
		return "", false
	}
	e164 = phonenumbers.Format(n, phonenumbers.E164)
	return e164, len(e164) <= len("+")+maxDigits
}

// Join is Parse for a number whose country code stands apart, as in
// {"countryCode":"1","number":"5555550136"} (contract §3).
func Join(countryCode, number string) (string, error) {
	code := strings.TrimPrefix(countryCode, "+")
	if code == "" || len(code) > 3 || strings.Trim(code, "0123456789") != "" || number == "" || strings.Contains(number, "+") {
		return "", ErrNumber
	}
	return Parse("+" + code + number)
}

// shown is how many of the last digits a masked number keeps.
const shown = 4

// Mask hides all but the last four digits: "+*******0136".
func Mask(e164 string) string {
	digits := strings.TrimPrefix(e164, "+")
	if len(digits) <= shown {
		return strings.Repeat("*", len(digits))
	}
	return "+" + strings.Repeat("*", len(digits)-shown) + digits[len(digits)-shown:]
}
