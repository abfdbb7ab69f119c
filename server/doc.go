// Package server puts grantd together: the store, the shared parts, the features
// and the listeners. It also stops them in order. It holds no rules.
package server
