// Package traces makes spans of requests and of operations of the store, and sends
// them to a collector (OTLP over HTTP, in JSON). It is off unless an endpoint is
// configured. A span holds names from grantd's code, a status and the id of the
// request: no address, no id of a client or customer, and nothing else that a caller
// sent. Only this package uses OpenTelemetry.
package traces
