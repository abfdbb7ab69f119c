// Package tls_test tells what the listeners do over TLS, and what a listener
// behind a proxy that ends TLS takes for it (rfc-cases T05, T06).
package tls_test
