package web

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

// Kind says how a known parameter is read.
type Kind int

const (
	// Single may be given once, and must be clean text: valid UTF-8 without NUL,
	// CR and LF. The endpoint checks the rest.
	Single Kind = iota
	// Repeatable is Single, but may be given several times (RFC 8707 §2).
	Repeatable
	// Opaque may be given once and may hold anything: a token that is looked up.
	Opaque
)

// Param is a parameter that an endpoint knows.
type Param struct {
	Name string
	Kind Kind
}

// Spec is what an endpoint reads: at most 64 parameters, from a form, and with JSON
// also from a JSON object of strings.
type Spec struct {
	Params []Param
	JSON   bool
}

// find returns the index of the parameter in Params, or -1.
func (s *Spec) find(name string) int {
	for i := range s.Params {
		if s.Params[i].Name == name {
			return i
		}
	}
	return -1
}

type param struct{ name, value string }

// Params are the known parameters of a request. Empty ones count as absent
// (RFC 6749 §3.2).
type Params struct{ list []param }

// Get returns the value of the parameter, or "".
func (p Params) Get(name string) string {
	for i := range p.list {
		if p.list[i].name == name {
			return p.list[i].value
		}
	}
	return ""
}

// All returns the values of the parameter, in their order.
func (p Params) All(name string) (values []string) {
	for i := range p.list {
		if p.list[i].name == name {
			values = append(values, p.list[i].value)
		}
	}
	return values
}

var (
	errMediaType  = apierr.New(apierr.InvalidRequest, "the body must have Content-Type: application/x-www-form-urlencoded")
	errMediaTypes = apierr.New(apierr.InvalidRequest, "the body must have Content-Type: application/x-www-form-urlencoded or application/json")
	errCharset    = apierr.New(apierr.InvalidRequest, "the body must be UTF-8")
	errEncoding   = apierr.New(apierr.UnsupportedMediaType, "the body must not have a Content-Encoding")
	errTooLarge   = apierr.New(apierr.TooLarge, "the body is larger than this server reads")
	errBody       = apierr.New(apierr.InvalidRequest, "the body could not be read")
	errForm       = apierr.New(apierr.InvalidRequest, "the body is not a well-formed form")
	errMany       = apierr.New(apierr.InvalidRequest, "more than 100 parameters")
	errRepeated   = apierr.New(apierr.InvalidRequest, "a parameter is repeated")
	errText       = apierr.New(apierr.InvalidRequest, "a parameter holds bytes that are not clean UTF-8 text")
	errJSONAsForm = apierr.New(apierr.InvalidRequest, "the body is JSON and Content-Type says that it is a form: send the header Content-Type: application/json")
	errJSONNoForm = apierr.New(apierr.InvalidRequest, "the body is JSON, and this endpoint reads only forms: send name=value&name=value with Content-Type: application/x-www-form-urlencoded")
)

// ReadParams reads the parameters of the body. It checks, in this order, the
// media type, the size, the syntax, and repeats. Unknown parameters are ignored.
func ReadParams(c *gin.Context, spec *Spec) (Params, error) {
	isJSON, err := checkMediaType(c.Request.Header, spec.JSON)
	if err != nil {
		return Params{}, err
	}
	var p Params
	err = decodeBody(c, MaxBody, func(body []byte) (err error) {
		all := exchangeOf(c).params[:0]
		switch {
		case isJSON:
			all, err = parseObject(body, all)
		case looksLikeObject(body) && spec.JSON:
			err = errJSONAsForm
		case looksLikeObject(body):
			err = errJSONNoForm
		default:
			all, err = parseForm(string(body), all)
		}
		if err == nil {
			noteBrackets(EventOf(c), all, spec)
			p, err = keepKnown(all, spec)
		}
		if len(body) > shortBody {
			for i := range p.list { // so that the rest of the body is not kept
				p.list[i].value = strings.Clone(p.list[i].value)
			}
		}
		return err
	})
	return p, err
}

const (
	mediaForm = "application/x-www-form-urlencoded"
	mediaJSON = "application/json"
)

// checkMediaType reports whether the body is JSON. It returns an error unless
// the body is a form, or JSON where that is accepted.
func checkMediaType(h http.Header, acceptJSON bool) (isJSON bool, err error) {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false, errEncoding
	}
	name, charset := h.Get("Content-Type"), "utf-8"
	if name != mediaForm && name != mediaJSON { // most callers send exactly these: no parser is needed
		var args map[string]string
		if name, args, err = mime.ParseMediaType(name); err != nil {
			name = ""
		}
		if given, ok := args["charset"]; ok {
			charset = given
		}
	}
	switch {
	case name == mediaForm:
	case name == mediaJSON && acceptJSON:
		isJSON = true
	case acceptJSON:
		return false, errMediaTypes
	default:
		return false, errMediaType
	}
	if !strings.EqualFold(charset, "utf-8") {
		return false, errCharset
	}
	return isJSON, nil
}

// looksLikeObject reports whether the body is a JSON object and not a form, in which
// these characters would be escaped: curl sends what -d has as a form.
func looksLikeObject(body []byte) bool {
	body = bytes.TrimSpace(body)
	if len(body) < 2 || body[0] != '{' || body[len(body)-1] != '}' {
		return false
	}
	first := bytes.TrimSpace(body[1:])
	return first[0] == '"' || first[0] == '}'
}

// noteBrackets notes that a parameter was ignored because its name has brackets, as
// PHP and Rails write lists. It shows no name of the request.
func noteBrackets(ev *Event, all []param, spec *Spec) {
	for _, a := range all {
		if name, _, ok := strings.Cut(a.name, "["); ok && spec.find(name) >= 0 && ev.Note == "" {
			ev.Note = "a parameter with brackets was ignored, such as scope[]: a list is one parameter, as in scope=a b"
		}
	}
}

// parseForm splits a form and appends its parameters to all. ';' is not a
// separator (WHATWG URL §5.1).
func parseForm(body string, all []param) ([]param, error) {
	if strings.Count(body, "&") >= MaxParams {
		return nil, errMany
	}
	for rest := body; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := unescape(name)
		v, err2 := unescape(value)
		if err1 != nil || err2 != nil {
			return nil, errForm
		}
		all = append(all, param{n, v})
	}
	return all, nil
}

// unescape is url.QueryUnescape, with a shortcut for the many values that have
// nothing to decode.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	return url.QueryUnescape(s)
}

// keepKnown checks the parameters that the endpoint knows and keeps them, in the
// memory of all.
func keepKnown(all []param, spec *Spec) (Params, error) {
	seen, kept := uint64(0), all[:0]
	for _, a := range all {
		i := spec.find(a.name)
		if i < 0 {
			continue
		}
		kind := spec.Params[i].Kind
		if seen&(1<<i) != 0 && kind != Repeatable {
			return Params{}, errRepeated
		}
		seen |= 1 << i
		if kind != Opaque && !isCleanText(a.value) {
			return Params{}, textError(spec.Params[i].Name, a.value)
		}
		if a.value != "" {
			kept = append(kept, param{spec.Params[i].Name, a.value})
		}
	}
	return Params{kept}, nil
}

// textError says that the value of the parameter, which the endpoint knows, is not clean
// text.
func textError(name, value string) error {
	inner := strings.TrimRight(value, "\r\n")
	if len(inner) < len(value) && isCleanText(inner) {
		return apierr.New(apierr.InvalidRequest, name+" holds bytes that are not clean UTF-8 text: it ends with a line break. Send it without (printf instead of echo, or curl --data instead of --data-binary)")
	}
	return errText
}

// isCleanText reports whether s is valid UTF-8 without NUL, CR and LF. ASCII needs
// one look at each byte.
func isCleanText(s string) bool {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0 || c == '\r' || c == '\n':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s)
}
