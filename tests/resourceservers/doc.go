// Package resourceservers runs resource servers of others, such as an Apache module,
// against the introspection of grantd and of its edge. It has the cases, and what they
// need around a resource server; its tests start the products. Their configuration
// files, in testdata, are the examples of INTEGRATING.md.
package resourceservers
