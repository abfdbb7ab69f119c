package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/fault"
)

// Kind says how a known parameter is read.
type Kind int

const (
	// Single may stand once, and must be clean text: valid UTF-8 without NUL,
	// CR and LF. What else a value may hold its reader says.
	Single Kind = iota
	// Repeatable may stand several times (RFC 8707 §2).
	Repeatable
	// Opaque may stand once and may hold anything: a token to be judged.
	Opaque
)

// Spec is what an endpoint reads: its parameters, and whether a JSON object
// of strings is accepted besides a form.
type Spec struct {
	Params map[string]Kind
	JSON   bool
}

// Params are the known parameters of a request. Empty ones count as absent
// (RFC 6749 §3.2).
type Params map[string][]string

// Get answers the value of the parameter, or "".
func (p Params) Get(name string) string {
	if v := p[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

var (
	errMediaType  = fault.New(fault.InvalidRequest, "the body must have Content-Type: application/x-www-form-urlencoded")
	errMediaTypes = fault.New(fault.InvalidRequest, "the body must have Content-Type: application/x-www-form-urlencoded or application/json")
	errCharset    = fault.New(fault.InvalidRequest, "the body must be UTF-8")
	errEncoding   = fault.New(fault.UnsupportedMediaType, "the body must not have a Content-Encoding")
	errTooLarge   = fault.New(fault.TooLarge, "the body is larger than this server reads")
	errBody       = fault.New(fault.InvalidRequest, "the body could not be read")
	errForm       = fault.New(fault.InvalidRequest, "the body is not a well-formed form")
	errMany       = fault.New(fault.InvalidRequest, "more than 100 parameters")
	errRepeated   = fault.New(fault.InvalidRequest, "a parameter stands more than once")
	errText       = fault.New(fault.InvalidRequest, "a parameter holds bytes that are not clean UTF-8 text")
	errInURL      = fault.New(fault.InvalidRequest, "credentials and tokens must not stand in the URL: send them in the body or a header, and replace the one that was exposed")
)

// inURL are the names that must never stand in a query (RFC 6749 §2.3.1,
// RFC 6750 §2.3 as RFC 9700 has it).
var inURL = map[string]bool{
	"client_id": true, "client_secret": true, "client_assertion": true, "token": true,
	"access_token": true, "subject_token": true, "actor_token": true, "refresh_token": true,
}

// ReadParams reads the body in the contract's order: what is in the URL,
// media type, size, syntax and repeats. Unknown parameters are ignored.
func ReadParams(c *gin.Context, spec Spec) (Params, error) {
	if err := RefuseURLCredentials(c); err != nil {
		return nil, err
	}
	isJSON, err := mediaType(c.Request, spec.JSON)
	if err != nil {
		return nil, err
	}
	body, err := ReadBody(c, MaxBody)
	if err != nil {
		return nil, err
	}
	var all []param
	if isJSON {
		all, err = parseObject(body)
	} else {
		all, err = parseForm(string(body))
	}
	if err != nil {
		return nil, err
	}
	return known(all, spec)
}

// RefuseURLCredentials is an error if the query holds a credential or token.
func RefuseURLCredentials(c *gin.Context) error {
	for part := range strings.FieldsFuncSeq(c.Request.URL.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if inURL[name] {
			EventOf(c).Note = "credential exposed in the URL"
			return errInURL
		}
	}
	return nil
}

func mediaType(r *http.Request, jsonToo bool) (isJSON bool, err error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false, errEncoding
	}
	name, args, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && name == "application/x-www-form-urlencoded":
	case err == nil && name == "application/json" && jsonToo:
		isJSON = true
	case jsonToo:
		return false, errMediaTypes
	default:
		return false, errMediaType
	}
	if cs, ok := args["charset"]; ok && !strings.EqualFold(cs, "utf-8") {
		return false, errCharset
	}
	return isJSON, nil
}

// ReadBody reads at most limit bytes.
func ReadBody(c *gin.Context, limit int64) ([]byte, error) {
	if c.Request.ContentLength > limit {
		c.Writer.Header().Set("Connection", "close")
		return nil, errTooLarge
	}
	b, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errBody.Because(err)
	}
	return b, nil
}

type param struct{ name, value string }

// parseForm splits a form; ';' separates nothing (WHATWG urlencoded).
func parseForm(body string) ([]param, error) {
	if strings.Count(body, "&") >= MaxParams {
		return nil, errMany
	}
	var all []param
	for part := range strings.SplitSeq(body, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, errForm
		}
		all = append(all, param{n, v})
	}
	return all, nil
}

// known keeps what the endpoint knows and checks it.
func known(all []param, spec Spec) (Params, error) {
	p := make(Params, len(spec.Params))
	seen := make(map[string]bool, len(spec.Params))
	for _, a := range all {
		kind, ok := spec.Params[a.name]
		if !ok {
			continue
		}
		if seen[a.name] && kind != Repeatable {
			return nil, errRepeated
		}
		seen[a.name] = true
		if kind != Opaque && !cleanText(a.value) {
			return nil, errText
		}
		if a.value != "" {
			p[a.name] = append(p[a.name], a.value)
		}
	}
	return p, nil
}

func cleanText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsAny(s, "\x00\r\n")
}
