// Package partners holds the rules of partners (contract §3, seeds/000): the
// records, what orgs grant them, their long-lived tokens, and the read-only
// tokens on behalf of an org that they make with those. Rules are in the
// Service and in OnBehalf, which know no HTTP; handlers translate.
//
// It does not know what a token looks like (server/tokens), nor what a
// resource server makes of one.
package partners
