package customers

import (
	"errors"
	"slices"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/store"
)

// relationshipUser is the relationship by which a document names an authorized user of
// a business customer. Unit's API has it for customerToken.
const relationshipUser = "authorizedUserResource"

const pointerUser = "/data/relationships/" + relationshipUser

// relatedTypes are the types that the resource may have: Unit names the resource and
// its relationship differently.
var relatedTypes = []string{"authorizedUser", "authorizedUserResource"}

var (
	errUserOfPerson = apierr.New(apierr.InvalidRequest, "only a business customer has authorized users").At(pointerUser)
	errNoUser       = apierr.New(apierr.InvalidRequest, "the customer has no authorized user with this id").At(pointerUser + "/data/id")
	errUserOfToken  = apierr.New(apierr.InvalidRequest, "the bearer token belongs to another authorized user").At(pointerUser + "/data/id")
	errUserGone     = apierr.New(apierr.InvalidRequest, "the authorized user of the bearer token is not one of the customer's anymore: make another token")
	errUserPhone    = apierr.Member("phone", "this is not the phone of the authorized user: leave phone out")
)

// errUserCode is for the log: the caller gets errVerification, as for every other
// verification that does not fit.
var errUserCode = errors.New("the code was not sent to the phone of the authorized user whom the token is for")

// userWith returns the index of the user with the id; -1: there is none.
func userWith(users []store.AuthorizedUser, id string) int {
	return slices.IndexFunc(users, func(u store.AuthorizedUser) bool { return id != "" && u.ID == id })
}

// lostUser reports whether one of the former users with an id is not among the users.
func lostUser(former, users []store.AuthorizedUser) bool {
	return slices.ContainsFunc(former, func(u store.AuthorizedUser) bool { return u.ID != "" && userWith(users, u.ID) < 0 })
}

// findUser returns the index of the authorized user whom a request names, or to whom
// the bearer token belongs; -1: neither. Errors: apierr.InvalidRequest.
func (b Bearer) findUser(c store.Customer, named *string) (int, error) {
	own := b.Token.AuthorizedUser
	switch {
	case named == nil && own == "":
		return -1, nil
	case named == nil:
		i := userWith(c.AuthorizedUsers, own)
		if i < 0 {
			return -1, errUserGone
		}
		return i, nil
	case c.Type != store.Business:
		return -1, errUserOfPerson
	case own != "" && *named != own:
		return -1, errUserOfToken
	}
	i := userWith(c.AuthorizedUsers, *named)
	if i < 0 {
		return -1, errNoUser
	}
	return i, nil
}

// A verification token holds to whom its code was sent: 0 is the customer, and others
// are the number of an authorized user in the record, which starts at 1. The numbers
// stay right, because any change to the record ends the code.

// recipientOf returns to which number the code was sent, and the index of the
// authorized user who has it, or -1.
func recipientOf(c store.Customer, verification string) (phone string, user int) {
	switch n := int(credential.Recipient(verification)); {
	case n == 0:
		return c.Phone, -1
	case n <= len(c.AuthorizedUsers):
		return c.AuthorizedUsers[n-1].Phone, n - 1
	}
	return "", -1
}

// checkRecipient returns an error if the token is to be for an authorized user to whose
// phone the code was not sent. Errors: apierr.InvalidVerification.
func checkRecipient(c store.Customer, userID, verification string) error {
	i := userWith(c.AuthorizedUsers, userID)
	if i < 0 {
		return nil
	}
	want := c.AuthorizedUsers[i].Phone
	if got, _ := recipientOf(c, verification); got != want || !phonekeys.Readable(want) {
		return errVerification.Because(errUserCode)
	}
	return nil
}

// verifiedUser returns the id of the authorized user who entered the code: of the only
// one with the number that it was sent to; "" if that is not known.
func verifiedUser(c store.Customer, verification string) string {
	number, i := recipientOf(c, verification)
	if i < 0 || slices.ContainsFunc(c.AuthorizedUsers[i+1:], func(u store.AuthorizedUser) bool { return u.Phone == number }) ||
		slices.ContainsFunc(c.AuthorizedUsers[:i], func(u store.AuthorizedUser) bool { return u.Phone == number }) {
		return ""
	}
	return c.AuthorizedUsers[i].ID
}

// hasUserIDs reports whether tokens can name authorized users of the customer.
func hasUserIDs(c store.Customer) bool {
	return slices.ContainsFunc(c.AuthorizedUsers, func(u store.AuthorizedUser) bool { return u.ID != "" })
}
