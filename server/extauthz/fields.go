package extauthz

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields goes through the fields of a message.
type fields struct {
	rest   []byte // what was not read
	number protowire.Number
	typ    protowire.Type
	value  []byte // of the field, if it is text, bytes or a message; else nil
	seen   uint64 // fields that may not repeat, one bit each
	failed bool
}

// next goes to the next field, and reports whether there is one. failed is set if the
// message cannot be read.
func (f *fields) next() bool {
	if f.failed || len(f.rest) == 0 {
		return false
	}
	var n int
	if f.number, f.typ, n = protowire.ConsumeTag(f.rest); n < 0 {
		f.failed = true
		return false
	}
	f.rest = f.rest[n:]
	switch f.typ {
	case protowire.BytesType:
		f.value, n = protowire.ConsumeBytes(f.rest)
	case protowire.StartGroupType, protowire.EndGroupType:
		n = -1 // these messages have no groups, which can be nested deeply
	default:
		f.value, n = nil, protowire.ConsumeFieldValue(f.number, f.typ, f.rest)
	}
	if n < 0 {
		f.failed = true
		return false
	}
	f.rest = f.rest[n:]
	return true
}

// must notes a field that cannot be read.
func (f *fields) must(ok bool) { f.failed = f.failed || !ok }

// once reports whether the field is text, bytes or a message, and the first with its
// number. The numbers of the fields that are read are below 64.
func (f *fields) once() bool {
	bit := uint64(1) << f.number
	first := f.seen&bit == 0
	f.seen |= bit
	return first && f.typ == protowire.BytesType
}

// text sets a text, which may not repeat.
func (f *fields) text(into *string) {
	if f.must(f.once() && utf8.Valid(f.value)); !f.failed {
		*into = string(f.value)
	}
}

// entry returns the field as an entry of a map, or with raw as a HeaderValue. ok is false
// if it cannot be read.
func (f *fields) entry(raw bool) (e entry, ok bool) {
	if f.typ != protowire.BytesType {
		return entry{}, false
	}
	in := fields{rest: f.value}
	for in.next() {
		switch {
		case in.number == entryKey:
			in.must(in.once() && utf8.Valid(in.value))
			e.key = in.value
		case in.number == entryValue:
			in.must(in.once() && utf8.Valid(in.value))
			e.value = in.value
		case in.number == entryRaw && raw:
			in.must(in.once())
			e.raw = in.value
		}
	}
	return e, !in.failed
}
