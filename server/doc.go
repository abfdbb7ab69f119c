// Package server wires grantd together: the store, the shared parts, the
// features, the listeners, and their orderly end. It holds no rules.
package server
