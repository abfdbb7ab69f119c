// Package orgs holds the rules of orgs, the tenants that clients and customers
// belong to, and their admin endpoints. That a deactivated org's clients are
// refused is server/auth's; that its tokens are void is the feed's.
package orgs
