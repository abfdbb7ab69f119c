// Package apikeys holds the API keys of orgs: long-lived credentials that an org's
// programs present to resource servers. It makes, lists, rotates and ends them, for
// clients of the org over JSON:API (KEY_GUIDE.md) and for operators over the admin
// API. server/tokens makes and recognizes the keys themselves. A key has fewer rights
// than a client: it makes no tokens and no keys, and never has grantd's own scopes.
package apikeys
