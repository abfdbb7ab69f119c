package web

import (
	"encoding/json"

	"github.com/gin-gonic/gin"
)

// Resource is a resource of a JSON:API document that has an id.
type Resource struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Attributes any    `json:"attributes"`
}

// SendResource responds with a JSON:API document of the resource.
func SendResource(c *gin.Context, status int, r Resource) { sendData(c, status, r) }

// SendResources responds with a JSON:API document of several resources.
func SendResources(c *gin.Context, status int, list []Resource) {
	if list == nil {
		list = []Resource{} // never null
	}
	sendData(c, status, list)
}

func sendData(c *gin.Context, status int, data any) {
	encoded, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		render(c, err)
		return
	}
	body := NewBody()
	body.B = append(body.B, encoded...)
	SendAs(c, typeJSONAPI, status, body)
}
