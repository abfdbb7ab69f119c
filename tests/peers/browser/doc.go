// Package browser is a placeholder.
package browser
