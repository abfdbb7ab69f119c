// Package partners holds the rules of partners: their records, what orgs grant
// them, their long-lived tokens, and the read-only tokens on behalf of an org
// that they make with those. The rules are in Service and OnBehalf, which do
// not know HTTP; the handlers translate. PARTNER_GUIDE.md describes the
// endpoints of partners, ADMIN_API.md those of operators.
//
// The package does not know what a token looks like (server/tokens), nor what a
// resource server does with one.
package partners
