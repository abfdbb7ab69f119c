package extauthz

import "strings"

const (
	// maxHeaders bounds the headers that are read, and maxExtensions the context
	// extensions. Envoy accepts 100 headers unless it is told otherwise.
	maxHeaders    = 1_000
	maxExtensions = 16
)

// Request is what a CheckRequest says about the request that Envoy wants to pass on.
// What is not stated is empty.
type Request struct {
	Source        string // address of Envoy's peer, without its port
	Method        string
	Path          string   // with the query, as it was sent
	Authorization []string // the values; Envoy may have joined them by commas
	ForwardedFor  []string // X-Forwarded-For
	RequestID     string   // the first X-Request-Id
	// Extensions are the context extensions of the route, from the configuration of
	// Envoy, in the order in which they were sent. Names may be repeated.
	Extensions []Pair

	headers int
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Read reads the body of a call. It keeps nothing of the body. It is stricter than
// protobuf: a field that is known must have its type, and only lists may repeat. Unknown
// fields are skipped.
// Errors: ErrCompressed, ErrMalformed.
func Read(body []byte) (Request, error) {
	m, err := message(body)
	if err != nil {
		return Request{}, err
	}
	var r Request
	if !r.check(m) {
		return Request{}, ErrMalformed
	}
	return r, nil
}

// Numbers of the fields that are read. Their messages are CheckRequest,
// AttributeContext with Peer, Request and HttpRequest, and of envoy.config.core.v3
// Address, SocketAddress, HeaderMap and HeaderValue.
const (
	checkAttributes = 1

	attributesSource     = 1
	attributesRequest    = 4
	attributesExtensions = 10

	peerAddress   = 1
	addressSocket = 1
	socketAddress = 2

	requestHTTP = 2

	httpMethod    = 2
	httpHeaders   = 3 // a map; repeated headers are joined by commas
	httpPath      = 4
	httpHeaderMap = 13 // instead of it, with encode_raw_headers: a list

	headerMapHeaders = 1

	entryKey   = 1
	entryValue = 2
	entryRaw   = 3 // only of HeaderValue
)

// check reads a CheckRequest. The methods below read its parts. All report whether what
// they read is well-formed.
func (r *Request) check(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		if f.number == checkAttributes {
			f.must(f.once() && r.attributes(f.value))
		}
	}
	return !f.failed
}

func (r *Request) attributes(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		switch f.number {
		case attributesSource:
			f.must(f.once() && r.source(f.value))
		case attributesRequest:
			f.must(f.once() && r.request(f.value))
		case attributesExtensions:
			e, ok := f.entry(false)
			r.Extensions = append(r.Extensions, Pair{string(e.key), string(e.value)})
			f.must(ok && len(r.Extensions) <= maxExtensions)
		}
	}
	return !f.failed
}

// source reads a Peer.
func (r *Request) source(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		if f.number == peerAddress {
			f.must(f.once() && r.address(f.value))
		}
	}
	return !f.failed
}

func (r *Request) address(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		if f.number == addressSocket {
			f.must(f.once() && r.socket(f.value))
		}
	}
	return !f.failed
}

func (r *Request) socket(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		if f.number == socketAddress {
			f.text(&r.Source)
		}
	}
	return !f.failed
}

func (r *Request) request(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		if f.number == requestHTTP {
			f.must(f.once() && r.http(f.value))
		}
	}
	return !f.failed
}

func (r *Request) http(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		switch f.number {
		case httpMethod:
			f.text(&r.Method)
		case httpPath:
			f.text(&r.Path)
		case httpHeaders:
			e, ok := f.entry(false)
			f.must(ok && r.header(&e))
		case httpHeaderMap:
			f.must(f.once() && r.headerMap(f.value))
		}
	}
	return !f.failed
}

func (r *Request) headerMap(m []byte) bool {
	f := fields{rest: m}
	for f.next() {
		if f.number == headerMapHeaders {
			e, ok := f.entry(true)
			f.must(ok && r.header(&e))
		}
	}
	return !f.failed
}

func (r *Request) header(e *entry) bool {
	switch r.headers++; {
	case e.isNamed("authorization"):
		r.Authorization = e.appendValues(r.Authorization)
	case e.isNamed("x-forwarded-for"):
		r.ForwardedFor = e.appendValues(r.ForwardedFor)
	case e.isNamed("x-request-id") && r.RequestID == "":
		r.RequestID = e.appendValues(nil)[0]
	}
	return r.headers <= maxHeaders
}

// entry is an entry of a map, or a HeaderValue.
type entry struct{ key, value, raw []byte }

// isNamed reports whether the header has the name, which is in lower case. Envoy sends
// names in lower case; another sender must not hide a header in capitals.
func (e *entry) isNamed(name string) bool {
	return len(e.key) == len(name) && strings.EqualFold(string(e.key), name)
}

// appendValues appends the value. Envoy sets one of the two forms. A header that has both
// counts as two headers, since nobody can tell which is right.
func (e *entry) appendValues(values []string) []string {
	if len(e.value) > 0 || len(e.raw) == 0 {
		values = append(values, string(e.value))
	}
	if len(e.raw) > 0 {
		values = append(values, string(e.raw))
	}
	return values
}
