// Package refusal names why grantd refused a request: one stable word for each
// cause, what it means, and what an operator can do. The words are in the log, in
// the audit and in the metrics. Callers never see them: an unknown client, a
// deactivated one and a wrong secret get the same response.
//
// The causes of a store that fails are store.Cause, and begin with "store_".
package refusal

import (
	"maps"
	"slices"
)

// Cause is why a request was refused, in one stable word.
type Cause string

// Error returns the word, so that a Cause can be the cause of an apierr.Error.
func (c Cause) Error() string { return string(c) }

// Reason explains a cause to an operator. Both texts are constants.
type Reason struct {
	Meaning string // what was wrong
	Next    string // what to do
}

// Reason returns the explanation of the cause. ok is false if the word is not one of
// this package.
func (c Cause) Reason() (r Reason, ok bool) {
	for _, group := range groups {
		if r, ok = group[c]; ok {
			return r, true
		}
	}
	return Reason{}, false
}

var groups = [...]map[Cause]Reason{requestReasons, clientReasons, scopeReasons, tokenReasons, customerReasons, streamReasons, gatewayReasons}

// All returns every cause in the order of the alphabet.
func All() []Cause {
	var all []Cause
	for _, group := range groups {
		all = slices.AppendSeq(all, maps.Keys(group))
	}
	slices.Sort(all)
	return all
}
