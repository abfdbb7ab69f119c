// Package orgs holds the rules of orgs, the tenants that clients and customers
// belong to, and their admin endpoints. Refusing the clients of a deactivated
// org belongs to server/auth, voiding its tokens to server/feed.
package orgs
