// Package mcp runs the programs of the page server/oauth/MCP.md against grantd: an
// MCP server and a client with the official Go SDK, and a client with the official
// TypeScript SDK. The page shows the files of this folder.
package mcp
