// Package secretscan is a placeholder.
package secretscan
