package extauthz

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields that are written. Their messages are CheckResponse, Status of
// google.rpc, OkHttpResponse, DeniedHttpResponse, HttpStatus, and of
// envoy.config.core.v3 HeaderValueOption and HeaderValue.
const (
	checkStatus = 1
	checkDenied = 2
	checkOK     = 3

	statusCode = 1 // of Status and of HttpStatus

	deniedStatus = 1
	headersField = 2 // of OkHttpResponse and of DeniedHttpResponse
	okRemove     = 5

	optionHeader = 1
	optionAction = 3
)

// overwrite is OVERWRITE_IF_EXISTS_OR_ADD. The field append, which it replaces, is not
// set: older versions of Envoy overwrite too then.
const overwrite = 2

// Codes of google.rpc.Code. Envoy passes the request on if the code is 0, and only then.
const (
	rpcUnknown           = 2
	rpcInvalidArgument   = 3
	rpcPermissionDenied  = 7
	rpcResourceExhausted = 8
	rpcUnavailable       = 14
	rpcUnauthenticated   = 16
)

// rpcCodes has the code for each status of a response.
var rpcCodes = map[int]uint64{
	400: rpcInvalidArgument, 401: rpcUnauthenticated, 403: rpcPermissionDenied, 413: rpcResourceExhausted, 503: rpcUnavailable,
}

// Allowed returns a framed message: Envoy may pass the request on, with these headers
// instead of those that the caller sent under their names. A header without a value is
// removed: versions of Envoy differ in whether an empty value replaces what was there.
func Allowed(headers []Pair) []byte {
	return frame(func(b []byte) []byte {
		b = appendMessage(b, checkStatus, nothing)
		return appendMessage(b, checkOK, func(b []byte) []byte {
			b = appendHeaders(b, headers)
			for _, h := range headers {
				if h.Value == "" {
					b = protowire.AppendTag(b, okRemove, protowire.BytesType)
					b = protowire.AppendString(b, h.Name)
				}
			}
			return b
		})
	})
}

// Denied returns a framed message: Envoy must respond with the status and the headers,
// without a body.
func Denied(status int, headers []Pair) []byte {
	code := rpcCodes[status]
	if code == 0 {
		code = rpcUnknown
	}
	return frame(func(b []byte) []byte {
		b = appendMessage(b, checkStatus, func(b []byte) []byte { return appendNumber(b, statusCode, code) })
		return appendMessage(b, checkDenied, func(b []byte) []byte {
			b = appendMessage(b, deniedStatus, func(b []byte) []byte { return appendNumber(b, statusCode, uint64(status)) })
			return appendHeaders(b, headers)
		})
	})
}

// appendHeaders appends the headers that have a value.
func appendHeaders(b []byte, headers []Pair) []byte {
	for _, h := range headers {
		if h.Value == "" {
			continue
		}
		b = appendMessage(b, headersField, func(b []byte) []byte {
			b = appendMessage(b, optionHeader, func(b []byte) []byte {
				b = protowire.AppendTag(b, entryKey, protowire.BytesType)
				b = protowire.AppendString(b, h.Name)
				b = protowire.AppendTag(b, entryValue, protowire.BytesType)
				return protowire.AppendString(b, h.Value)
			})
			return appendNumber(b, optionAction, overwrite)
		})
	}
	return b
}

func nothing(b []byte) []byte { return b }

func appendNumber(b []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

// appendMessage appends a field with the message that add appends. Most are shorter than
// 128 bytes, so that one byte has their length.
func appendMessage(b []byte, number protowire.Number, add func(b []byte) []byte) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	at := len(b)
	b = add(append(b, 0))
	length := len(b) - at - 1
	if n := protowire.SizeVarint(uint64(length)); n > 1 {
		b = append(b, make([]byte, n-1)...)
		copy(b[at+n:], b[at+1:at+1+length])
	}
	protowire.AppendVarint(b[:at], uint64(length))
	return b
}
