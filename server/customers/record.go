package customers

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/phone"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/store"
)

// languages are the languages of messages; languageRule says so to callers.
var (
	languages    = senders.Languages()
	languageRule = "language is one of " + strings.Join(languages, ", ") + ", with the same capital letters"
)

// Bounds of a customer's record.
const (
	maxAuthorizedUsers = 100
	maxUserName        = 200
)

var (
	errID       = apierr.Member("customer_id", "a customer's id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -")
	errOrgID    = apierr.Member("org_id", "org_id is the id of the org that the customer belongs to")
	errNoOrg    = apierr.Member("org_id", "there is no org with this id: make it first (grantd org put)")
	errOtherOrg = apierr.Member("org_id", "a customer's org cannot be changed: delete the customer and make another one")
	errFormer   = apierr.Member("org_id", "this customer belongs to a former org with the same id: delete the customer and make another one")
	errType     = apierr.Member("type", "type is individual or business")
	errLanguage = apierr.Member("language", languageRule)
	errUserID   = apierr.Member("authorized_users", "the id of an authorized user is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -, and each has another one")
	errUsers    = apierr.Member("authorized_users", "only a business has authorized users, at most 100, each with a name of one line and a phone")
)

// parseSpec returns the record that the spec describes; the caller sets its times
// and version. Errors: apierr.InvalidRequest.
func parseSpec(id string, spec Spec) (store.Customer, error) {
	c := store.Customer{ID: id, OrgID: spec.OrgID, Type: spec.Type, Language: spec.Language}
	switch {
	case !field.ValidID(id):
		return c, errID
	case !field.ValidID(spec.OrgID):
		return c, errOrgID
	case spec.Type != store.Individual && spec.Type != store.Business:
		return c, errType
	case spec.Language != "" && !slices.Contains(languages, spec.Language):
		return c, errLanguage
	case len(spec.AuthorizedUsers) > 0 && spec.Type != store.Business, len(spec.AuthorizedUsers) > maxAuthorizedUsers:
		return c, errUsers
	}
	var err error
	if c.Phone, err = phone.Parse(spec.Phone); err != nil {
		return c, apierr.Member("phone", "phone "+err.Error())
	}
	for _, u := range spec.AuthorizedUsers {
		number, err := phone.Parse(u.Phone)
		if err != nil {
			return c, apierr.Member("authorized_users", "the phone of an authorized user "+err.Error())
		}
		if !field.OneLine(u.Name, maxUserName) {
			return c, errUsers
		}
		if u.ID != "" && (!field.ValidID(u.ID) || userWith(c.AuthorizedUsers, u.ID) >= 0) {
			return c, errUserID
		}
		c.AuthorizedUsers = append(c.AuthorizedUsers, store.AuthorizedUser{ID: u.ID, Name: u.Name, Phone: number})
	}
	return c, nil
}

// phonesOf returns all phone numbers that a code may be sent to.
func phonesOf(c store.Customer) []string {
	all := []string{c.Phone}
	for _, u := range c.AuthorizedUsers {
		all = append(all, u.Phone)
	}
	return all
}

// replace puts what next says into the record, which must belong to the org.
// Errors: errOtherOrg; errFormer; errSame if the record already says it.
func replace(c *store.Customer, next store.Customer, org *store.Org, now time.Time) error {
	if c.OrgID != next.OrgID {
		return errOtherOrg
	}
	if !org.Owns(c.OrgIncarnation, c.CreatedAt) {
		return errFormer
	}
	if c.Type == next.Type && c.Language == next.Language && c.Phone == next.Phone && slices.Equal(c.AuthorizedUsers, next.AuthorizedUsers) {
		return errSame
	}
	if !slices.Equal(phonesOf(*c), phonesOf(next)) {
		c.PhonesChangedAt = now
	}
	c.Type, c.Language, c.Phone, c.AuthorizedUsers = next.Type, next.Language, next.Phone, next.AuthorizedUsers
	return nil
}

var errSame = errors.New("the record already says this")
