// Package clients holds the rules of clients and their secrets (service.go,
// secrets.go, spec.go) and their admin endpoints (handler.go). The rules know
// neither gin nor HTTP. Authenticating clients belongs to server/auth.
package clients
