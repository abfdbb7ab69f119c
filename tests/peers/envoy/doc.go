// Package envoy tests 'grantd edge' as Envoy would call it: with grpc-go and the types of
// go-control-plane. Envoy itself does not run here. What it does with a response was read
// in its source, and the tests check responses against that: see apply.
package envoy
