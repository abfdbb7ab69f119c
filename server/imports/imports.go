// Package imports holds what the imports of all kinds of records have in common:
// the results of their lines, and how a call goes through its lines. What a line
// says and how it is written belongs to the feature.
package imports

import (
	"errors"

	"github.com/grantd/grantd/server/apierr"
)

// Max is how many lines one call may have.
const Max = 100

// Results of a line.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
	Refused   = "refused"
)

// Response is the response to one call: a result for each line, in their order. A
// line that is refused does not stop the others.
type Response struct {
	Results []Result `json:"results"`
}

// Result is the result of one line, or in a check the result it would have.
type Result struct {
	Result string `json:"result"`
	Error  string `json:"error,omitempty"` // why it is refused
	Field  string `json:"field,omitempty"` // the member that is wrong
}

// Each calls put with each line, which returns its result. A line is refused if
// put returns an error of package apierr. Any other error, such as a failure of the
// store, ends the call. Errors: tooMany unless there are 1 to Max lines.
func Each[T any](lines []T, tooMany error, put func(T) (result string, err error)) (Response, error) {
	if len(lines) == 0 || len(lines) > Max {
		return Response{}, tooMany
	}
	out := Response{Results: make([]Result, 0, len(lines))}
	for _, line := range lines {
		result, err := put(line)
		r := Result{Result: result}
		if err != nil {
			var refused *apierr.Error
			if !errors.As(err, &refused) {
				return Response{}, err
			}
			r = Result{Result: Refused, Error: refused.Description, Field: refused.Field}
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}
