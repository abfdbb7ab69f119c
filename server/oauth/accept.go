package oauth

import "strings"

// The media types of introspection (RFC 7662 §2.2, RFC 9701 §5).
const (
	mediaJSON   = "application/json"
	mediaSigned = "application/token-introspection+jwt"
)

// wantsSigned reports whether the fields of Accept ask for a signed response: they
// name its media type, and prefer it at least as much as JSON (RFC 9110 §12.5.1). A
// wildcard does not name it. JSON is the response to everything else, also to a
// field that cannot be read.
func wantsSigned(fields []string) bool {
	signed, named := 0, false
	var json, application, anything weight
	for _, field := range fields {
		for rest := field; rest != ""; {
			var r mediaRange
			var ok bool
			if r, rest, ok = nextRange(rest); !ok {
				return false
			}
			switch {
			case strings.EqualFold(r.name, mediaSigned):
				signed, named = max(signed, r.weight), true
			case strings.EqualFold(r.name, mediaJSON):
				json.add(r.weight)
			case strings.EqualFold(r.name, "application/*"):
				application.add(r.weight)
			case r.name == "*/*":
				anything.add(r.weight)
			}
		}
	}
	if !named || signed == 0 {
		return false
	}
	for _, w := range [...]weight{json, application, anything} { // the most specific range counts
		if w.given {
			return signed >= w.value
		}
	}
	return true
}

// weight is the greatest weight of a media range, if it was given.
type weight struct {
	value int
	given bool
}

func (w *weight) add(value int) { w.value, w.given = max(w.value, value), true }

// mediaRange is one element of Accept. Its parameters other than the weight do not
// matter: neither media type has any that changes its meaning.
type mediaRange struct {
	name   string
	weight int // in thousandths
}

// nextRange reads the first element of a field, which may be empty, and returns the rest after its comma.
// ok is false if it is malformed.
func nextRange(field string) (r mediaRange, rest string, ok bool) {
	end := strings.IndexAny(field, ",;")
	if end < 0 {
		end = len(field)
	}
	r = mediaRange{name: strings.Trim(field[:end], " \t"), weight: 1000}
	if strings.ContainsAny(r.name, " \t\"=") {
		return r, "", false
	}
	for rest = field[end:]; strings.HasPrefix(rest, ";"); {
		var name, value string
		if name, value, rest, ok = nextParameter(rest[1:]); !ok {
			return r, "", false
		}
		if !strings.EqualFold(name, "q") {
			continue
		}
		if r.weight, ok = parseWeight(value); !ok {
			return r, "", false
		}
	}
	return r, strings.TrimPrefix(rest, ","), true
}

// nextParameter reads a parameter up to the next ';' or ','. A quoted value may
// contain both.
func nextParameter(s string) (name, value, rest string, ok bool) {
	quoted, end := false, len(s)
scan:
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case (c == ';' || c == ',') && !quoted:
			end = i
			break scan
		}
	}
	name, value, _ = strings.Cut(s[:end], "=")
	return strings.Trim(name, " \t"), strings.Trim(value, " \t"), s[end:], !quoted
}

// parseWeight reads a weight of RFC 9110 §12.4.2: 0 to 1 with up to three decimals.
func parseWeight(s string) (thousandths int, ok bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	thousandths = int(whole[0] - '0')
	for i := range 3 {
		digit := 0
		if i < len(decimals) {
			if decimals[i] < '0' || decimals[i] > '9' {
				return 0, false
			}
			digit = int(decimals[i] - '0')
		}
		thousandths = thousandths*10 + digit
	}
	return thousandths, thousandths <= 1000
}
