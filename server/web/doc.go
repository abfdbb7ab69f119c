// Package web is what every listener's HTTP has in common: the engine with
// its headers and access event, strict reading of bodies, and the one place
// where errors become responses. It knows gin and faults, no feature.
package web
