// Package phone parses phone numbers into E.164, the form in which they are stored
// and compared, and masks them for display. It is the only package that imports
// nyaruka/phonenumbers.
package phone

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrNumber means that a text is no phone number. It does not hold the text.
var ErrNumber = errors.New("must be a telephone number with its country code, such as +15555550136")

// E.164 has 15 digits; people add separators.
const (
	maxDigits = 15
	maxLen    = 32 // of a text that is parsed
)

// Parse returns the E.164 form of a number with its country code, such as
// "+1 (555) 555-0136". It accepts every possible number, because the numbers in
// tests and examples are not assigned. Errors: ErrNumber.
func Parse(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxLen || !strings.HasPrefix(s, "+") || strings.Trim(s, "+0123456789 ()-./") != "" {
		return "", ErrNumber
	}
	e164, ok := format(s)
	if !ok {
		return "", ErrNumber
	}
	// Each parse of some impossible numbers drops another digit, as the prefix of
	// calls within the country. They would not be equal to themselves.
	if again, ok := format(e164); !ok || again != e164 {
		return "", ErrNumber
	}
	return e164, nil
}

func format(s string) (e164 string, ok bool) {
	n, err := phonenumbers.Parse(s, "")
	if err != nil || phonenumbers.IsPossibleNumberWithReason(n) != phonenumbers.IS_POSSIBLE { // IS_POSSIBLE_LOCAL_ONLY lacks an area code
		return "", false
	}
	e164 = phonenumbers.Format(n, phonenumbers.E164)
	return e164, len(e164) <= len("+")+maxDigits
}

// Join is Parse for a number whose country code is separate, as in
// {"countryCode":"1","number":"5555550136"}. Errors: ErrNumber.
func Join(countryCode, number string) (string, error) {
	code := strings.TrimPrefix(countryCode, "+")
	if code == "" || len(code) > 3 || strings.Trim(code, "0123456789") != "" || number == "" || strings.Contains(number, "+") {
		return "", ErrNumber
	}
	return Parse("+" + code + number)
}

// visibleDigits is how many of its last digits a masked number shows.
const visibleDigits = 4

// Mask returns the number with only its last four digits visible: "+*******0136".
func Mask(e164 string) string {
	digits := strings.TrimPrefix(e164, "+")
	if len(digits) <= visibleDigits {
		return strings.Repeat("*", len(digits))
	}
	return "+" + strings.Repeat("*", len(digits)-visibleDigits) + digits[len(digits)-visibleDigits:]
}
