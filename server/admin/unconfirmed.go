package admin

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/web"
)

// StateUnconfirmed is the state of a change in a response with the status 202.
const StateUnconfirmed = "unconfirmed"

// unconfirmedDetail is what such a response says to people.
const unconfirmedDetail = "in force now, but no replica of Redis has confirmed it yet: a failover could undo it; " +
	"grantd goes on until it is confirmed, so there is no need to repeat it"

// Unconfirmed is what the body of a change has besides its other members if too few
// replicas of Redis have the change. See store.Store.
type Unconfirmed struct {
	State  string `json:"state"`
	Detail string `json:"state_detail"`
}

// change calls the handler of a route that changes something. If the change is in
// force, but not confirmed, the status is 202, and the body says so.
func change(c *gin.Context, handle web.Handler, isUnconfirmed func() bool) error {
	web.AmendJSON(c, func(status int, body []byte) (int, []byte) {
		if !isUnconfirmed() {
			return status, body
		}
		return http.StatusAccepted, addUnconfirmed(body)
	})
	err := handle(c)
	if err == nil && !c.Writer.Written() && isUnconfirmed() { // a response without a body
		web.JSON(c, http.StatusAccepted, Unconfirmed{StateUnconfirmed, unconfirmedDetail})
	}
	return err
}

// addUnconfirmed adds the members to a JSON object. It replaces one that has the
// same name.
func addUnconfirmed(body []byte) []byte {
	members := map[string]any{}
	var old map[string]json.RawMessage
	if err := json.Unmarshal(body, &old); err != nil {
		return body // not an object: cannot happen
	}
	for name, value := range old {
		members[name] = value
	}
	members["state"], members["state_detail"] = StateUnconfirmed, unconfirmedDetail
	amended, err := json.Marshal(members)
	if err != nil {
		return body // cannot happen
	}
	return amended
}
