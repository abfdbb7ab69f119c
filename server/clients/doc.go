// Package clients is the feature "clients and their secrets": the rules in
// service and secrets, the admin API in handler. The rules know neither gin
// nor HTTP. Authenticating clients is server/auth's.
package clients
