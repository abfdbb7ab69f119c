// Package web is what all listeners share of HTTP: the engine with its headers
// and access event, strict readers of bodies, and the one place where errors
// become responses. It knows gin and apierr, but no feature.
package web
