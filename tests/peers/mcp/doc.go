// Package mcp is a placeholder.
package mcp
