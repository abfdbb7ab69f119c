package extauthz

import (
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
)

// Path is the path of the method.
const Path = "/envoy.service.auth.v3.Authorization/Check"

const (
	contentType = "application/grpc"
	// prefixLength is the length of what precedes a message: whether it is compressed,
	// and its length.
	prefixLength = 5
	// codeUnimplemented is the status of gRPC for a compression that is not supported.
	codeUnimplemented = "12"
	codeOK            = "0"
)

var (
	// ErrCompressed is a message that is compressed.
	ErrCompressed = errors.New("the message is compressed, which is not supported")
	// ErrMalformed is a message that cannot be read.
	ErrMalformed = errors.New("the message is not a CheckRequest of envoy.service.auth.v3")
)

// IsCall reports whether the request is a gRPC call: HTTP/2, and the content type of
// protobuf messages.
func IsCall(r *http.Request) bool {
	given := r.Header["Content-Type"]
	if r.ProtoMajor != 2 || len(given) != 1 {
		return false
	}
	name, _, _ := strings.Cut(given[0], ";")
	name = strings.TrimSpace(name)
	return name == contentType || name == contentType+"+proto"
}

// message returns the only message in the body of a call.
// Errors: ErrCompressed, ErrMalformed.
func message(body []byte) ([]byte, error) {
	switch {
	case len(body) < prefixLength:
		return nil, ErrMalformed
	case body[0] == 1:
		return nil, ErrCompressed
	case body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:prefixLength])) != uint64(len(body)-prefixLength):
		return nil, ErrMalformed
	}
	return body[prefixLength:], nil
}

// frame returns the prefix and the message that add appends.
func frame(add func(b []byte) []byte) []byte {
	const usual = 512
	b := add(make([]byte, prefixLength, usual))
	binary.BigEndian.PutUint32(b[1:prefixLength], uint32(len(b)-prefixLength))
	return b
}

// Values of headers, shared by all responses: they must not be changed in place.
var (
	typeGRPC = []string{contentType}
	trailers = []string{"Grpc-Status"}
	statusOK = []string{codeOK}
	notTaken = []string{codeUnimplemented}
	identity = []string{"identity"}
)

// Send responds with a framed message and the status OK of gRPC, which says only that
// there is a message.
func Send(w http.ResponseWriter, framed []byte) error {
	h := w.Header()
	h["Content-Type"], h["Trailer"] = typeGRPC, trailers
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(framed)
	h["Grpc-Status"] = statusOK
	return err
}

// RefuseCompressed responds to a call with ErrCompressed.
func RefuseCompressed(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Grpc-Status"], h["Grpc-Accept-Encoding"] = typeGRPC, notTaken, identity
	h["Grpc-Message"] = []string{ErrCompressed.Error()}
	w.WriteHeader(http.StatusOK)
}
