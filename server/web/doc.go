// Package web is the HTTP code that all listeners share: the engine with its
// headers and access event, strict readers of bodies, and the one place where
// errors become responses. It knows gin and apierr, but no feature.
package web
