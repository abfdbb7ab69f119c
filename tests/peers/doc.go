// Package peers is the module of the tests that need large programs of others as
// libraries: MCP SDKs, a browser, a scanner for secrets, gRPC and the types of Envoy. It
// is a separate module, so that none of them is in the go.mod of grantd.
package peers
