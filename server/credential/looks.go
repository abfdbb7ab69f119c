package credential

import (
	"slices"
	"strings"
)

const (
	// shortestSecret is how long a value is at least that looks random. What is
	// shorter is taken for a name, unless it has many digits.
	shortestSecret = 8
	// mostDigits is how many digits a name has at most: codes and phone numbers have
	// more.
	mostDigits = 5
	// mostSuffix is how many digits a word of a name ends with at most, as in eu12.
	mostSuffix = 2

	jwtPrefix = "eyJ"
)

// LooksSecret reports whether the value could be a credential, a token, a code or a
// phone number, of grantd or of anybody: it looks random, or has many digits. Such a
// value must not be logged, although a caller sent it where a name belongs. It errs on
// the safe side, but a secret that consists of words cannot be told from a name. A
// generated client id and a UUID count as names.
func LooksSecret(value string) bool {
	if strings.HasPrefix(value, clientIDPrefix) && len(value) == len(clientIDPrefix)+22 || isUUID(value) {
		return false
	}
	if slices.ContainsFunc(prefixes[:], func(p string) bool { return strings.HasPrefix(value, p) }) || strings.HasPrefix(value, jwtPrefix) {
		return true
	}
	var all word
	for run := range strings.FieldsFuncSeq(value, func(c rune) bool { return strings.ContainsRune("._~:/-", c) }) {
		w := wordOf(run)
		if len(run) >= shortestSecret && w.mixed {
			return true
		}
		all.digits += w.digits
		all.breaks += w.breaks
		all.kinds |= w.kinds
	}
	switch {
	case all.digits > mostDigits:
		return true
	case len(value) >= 20 && all.kinds == lower|upper|digit:
		return true
	}
	return len(value) >= shortestSecret && all.breaks*4 >= len(value)
}

// kind is a set of kinds of characters.
type kind byte

const (
	lower kind = 1 << iota
	upper
	digit

	letters = lower | upper
)

func kindOf(c byte) kind {
	switch {
	case 'a' <= c && c <= 'z':
		return lower
	case 'A' <= c && c <= 'Z':
		return upper
	case '0' <= c && c <= '9':
		return digit
	}
	return 0
}

// word is what a text without separators consists of.
type word struct {
	kinds  kind
	digits int
	// breaks is how often a letter follows a digit, or a word in camel case begins.
	// Random texts have one at every third or fourth character.
	breaks int
	// mixed: there are letters after digits, or many digits after letters.
	mixed bool
}

func wordOf(text string) (w word) {
	var before, last kind
	suffix := 0
	for i := range len(text) {
		k := kindOf(text[i])
		switch {
		case k == digit:
			w.digits++
			suffix++
		case suffix > 0:
			w.mixed, suffix = true, 0
		}
		camel := last == lower && k == upper || before == upper && last == upper && k == lower
		if camel || i > 0 && last == digit && k != digit {
			w.breaks++
		}
		w.kinds |= k
		before, last = last, k
	}
	w.mixed = w.mixed || w.kinds&letters != 0 && suffix > mostSuffix
	return w
}

// isUUID reports whether the value has the form of a UUID (RFC 9562 §4).
func isUUID(value string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(value) != len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == '-' && value[i] != '-' || form[i] == 'x' && !strings.Contains("0123456789abcdefABCDEF", value[i:i+1]) {
			return false
		}
	}
	return true
}
