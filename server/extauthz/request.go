package extauthz

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

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
	if err := each(m, func(f *field) { f.message(checkAttributes, r.attributes) }); err != nil {
		return Request{}, err
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

func (r *Request) attributes(f *field) {
	f.message(attributesSource, func(f *field) {
		f.message(peerAddress, func(f *field) {
			f.message(addressSocket, func(f *field) { f.text(socketAddress, &r.Source) })
		})
	})
	f.message(attributesRequest, func(f *field) { f.message(requestHTTP, r.http) })
	f.list(attributesExtensions, func(b []byte) bool {
		e, err := readEntry(b, false)
		r.Extensions = append(r.Extensions, Pair{string(e.key), string(e.value)})
		return err == nil && len(r.Extensions) <= maxExtensions
	})
}

func (r *Request) http(f *field) {
	f.text(httpMethod, &r.Method)
	f.text(httpPath, &r.Path)
	f.list(httpHeaders, func(b []byte) bool { return r.header(b, false) })
	f.message(httpHeaderMap, func(f *field) {
		f.list(headerMapHeaders, func(b []byte) bool { return r.header(b, true) })
	})
}

// header takes a header, and reports whether it can be read.
func (r *Request) header(b []byte, raw bool) bool {
	e, err := readEntry(b, raw)
	if r.headers++; err != nil || r.headers > maxHeaders {
		return false
	}
	switch {
	case e.isNamed("authorization"):
		r.Authorization = e.appendValues(r.Authorization)
	case e.isNamed("x-forwarded-for"):
		r.ForwardedFor = e.appendValues(r.ForwardedFor)
	case e.isNamed("x-request-id") && r.RequestID == "":
		r.RequestID = e.appendValues(nil)[0]
	}
	return true
}

// entry is an entry of a map, or a HeaderValue.
type entry struct{ key, value, raw []byte }

func readEntry(b []byte, raw bool) (e entry, err error) {
	err = each(b, func(f *field) {
		f.bytes(entryKey, &e.key, isText)
		f.bytes(entryValue, &e.value, isText)
		if raw {
			f.bytes(entryRaw, &e.raw, nil)
		}
	})
	return e, err
}

// isNamed reports whether the header has the name, which is in lower case. Envoy sends
// names in lower case; another sender must not hide a header in capitals.
func (e *entry) isNamed(name string) bool {
	return len(e.key) == len(name) && strings.EqualFold(string(e.key), name)
}

// appendValues appends the value. Envoy sets one of both forms; a header with two is
// two headers, of which nobody can tell which is right.
func (e *entry) appendValues(values []string) []string {
	if len(e.value) > 0 || len(e.raw) == 0 {
		values = append(values, string(e.value))
	}
	if len(e.raw) > 0 {
		values = append(values, string(e.raw))
	}
	return values
}

// field is a field of a message that is read.
type field struct {
	number protowire.Number
	typ    protowire.Type
	rest   []byte // begins with the value
	seen   uint64 // the fields that may not repeat and were there, one bit each
	failed bool
}

// each calls read for each field of the message. Errors: ErrMalformed.
func each(m []byte, read func(*field)) error {
	f := field{rest: m}
	for len(f.rest) > 0 {
		var n int
		if f.number, f.typ, n = protowire.ConsumeTag(f.rest); n < 0 {
			return ErrMalformed
		}
		f.rest = f.rest[n:]
		if f.typ == protowire.StartGroupType || f.typ == protowire.EndGroupType {
			return ErrMalformed // these messages have none, and they can be nested deeply
		}
		length := protowire.ConsumeFieldValue(f.number, f.typ, f.rest)
		if length < 0 {
			return ErrMalformed
		}
		if read(&f); f.failed {
			return ErrMalformed
		}
		f.rest = f.rest[length:]
	}
	return nil
}

// value returns the value if the field has this number.
func (f *field) value(number protowire.Number) (b []byte, ok bool) {
	if f.failed || f.number != number {
		return nil, false
	}
	if f.typ != protowire.BytesType {
		f.failed = true
		return nil, false
	}
	b, _ = protowire.ConsumeBytes(f.rest)
	return b, true
}

// once is value for a field that may not repeat.
func (f *field) once(number protowire.Number) ([]byte, bool) {
	b, ok := f.value(number)
	if !ok {
		return nil, false
	}
	bit := uint64(1) << number
	f.failed = f.seen&bit != 0
	f.seen |= bit
	return b, !f.failed
}

func isText(b []byte) bool { return utf8.Valid(b) }

// message reads the fields of a message.
func (f *field) message(number protowire.Number, read func(*field)) {
	if b, ok := f.once(number); ok {
		f.failed = each(b, read) != nil
	}
}

// list calls read for each element of a list.
func (f *field) list(number protowire.Number, read func(b []byte) (ok bool)) {
	if b, ok := f.value(number); ok {
		f.failed = !read(b)
	}
}

// bytes sets a value, which valid must accept unless it is nil.
func (f *field) bytes(number protowire.Number, into *[]byte, valid func([]byte) bool) {
	if b, ok := f.once(number); ok {
		*into = b
		f.failed = valid != nil && !valid(b)
	}
}

// text sets a text.
func (f *field) text(number protowire.Number, into *string) {
	var b []byte
	f.bytes(number, &b, isText)
	if b != nil {
		*into = string(b)
	}
}
