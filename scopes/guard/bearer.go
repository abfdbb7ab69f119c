package guard

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxToken is the longest token that is asked about, in bytes. grantd's have 255 at
// most.
const maxToken = 1024

// maxPeek is how much of a form is read to find a token that must not be there.
const maxPeek = 4 << 10

// tokenParam is the parameter in which RFC 6750 §2.2 and §2.3 would put a token.
const tokenParam = "access_token"

// readBearer returns the token of a request. It comes from the Authorization header
// and from nowhere else: a token in the URL gets into logs, and one in a form is read
// by anything that reads the form (RFC 9700 §4.3.2). needed is the scope that the
// refusal of a request without a token names. A form is read only if there is a token:
// nobody else may hold the request by sending one slowly.
func readBearer(r *http.Request, needed []string) (string, *Refusal) {
	headers := r.Header["Authorization"]
	switch {
	case len(headers) > 1:
		return "", invalidRequest("more than one Authorization header")
	case hasTokenParam(r.URL.RawQuery):
		return "", invalidRequest("the token must be in the Authorization header, not in the URL")
	}
	if len(headers) == 0 {
		return "", noCredentials(strings.Join(needed, " "))
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // also DPoP, which the guard does not check (RFC 9449 §7.1)
		return "", noCredentials(strings.Join(needed, " "))
	}
	token = strings.Trim(token, " ")
	if !validToken(token) {
		return "", invalidToken("what follows Bearer in the Authorization header is not a token")
	}
	if mayHaveForm(r) && peekForm(r) {
		return "", invalidRequest("the token must be in the Authorization header, not in the form")
	}
	return token, nil
}

// validToken reports whether s is a b64token of RFC 6750 §2.1 that is not too long.
func validToken(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	s = strings.TrimRight(s, "=")
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}

// hasTokenParam reports whether a query or a form has the parameter access_token,
// however it is encoded.
func hasTokenParam(form string) bool {
	for form != "" {
		var pair string
		pair, form, _ = strings.Cut(form, "&")
		name, _, _ := strings.Cut(pair, "=")
		if strings.IndexByte(name, '%') >= 0 {
			if plain, err := url.QueryUnescape(name); err == nil {
				name = plain
			}
		}
		if name == tokenParam {
			return true
		}
	}
	return false
}

// mayHaveForm reports whether the request has a body that is a form. A caller that
// waits to be told to send a large body (RFC 9110 §10.1.1) is not told before its token
// is checked.
func mayHaveForm(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || len(r.Header["Expect"]) > 0 {
		return false
	}
	kind := r.Header.Get("Content-Type")
	if len(kind) < len(formType) || !strings.EqualFold(kind[:len(formType)], formType) {
		return false
	}
	media, _, err := mime.ParseMediaType(kind)
	return err != nil || media == formType // with broken parameters it may still be read as a form
}

const formType = "application/x-www-form-urlencoded"

// peekForm reports whether the beginning of a form has the parameter access_token.
// The handler reads the form as if it had not been read, and any error too. A token
// further back is not found, and not used either: nothing but the header counts.
func peekForm(r *http.Request) bool {
	start := make([]byte, maxPeek)
	n, err := io.ReadFull(r.Body, start)
	start = start[:n]
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // the body says so again
	}
	r.Body = &peeked{body: r.Body, start: start, err: err}
	return hasTokenParam(string(start))
}

// peeked is a body whose beginning was read.
type peeked struct {
	body  io.ReadCloser
	start []byte // what was read, and the handler has not
	err   error  // that followed it
}

// Read implements io.Reader.
func (p *peeked) Read(b []byte) (int, error) {
	if len(p.start) > 0 {
		n := copy(b, p.start)
		p.start = p.start[n:]
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.body.Read(b)
}

// Close implements io.Closer.
func (p *peeked) Close() error { return p.body.Close() }
