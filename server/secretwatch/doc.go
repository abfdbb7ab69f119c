// Package secretwatch knows which credentials of clients, partners and orgs exist,
// when each ends, and when it was last used. Watch keeps in memory what ends soon,
// for metrics and notices. Kind.Page and Kind.Each read the store, for lists and
// for what was not used for long. It decides nothing and changes nothing. A sort of
// credential is a Kind: Secrets, PartnerTokens and APIKeys return those that there
// are.
package secretwatch
