package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

func readRelation(relationships string) (*string, error) {
	gin.SetMode(gin.ReleaseMode)
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/things",
		strings.NewReader(`{"data":{"type":"thing","attributes":{},"relationships":`+relationships+`}}`))
	c.Request.Header.Set("Content-Type", mediaJSONAPI)
	owner := Related{Name: "owner", Types: []string{"person", "owner"}}
	err := ReadDocument(c, "thing", &attributes{}, &owner)
	return owner.ID, err
}

func TestReadRelationship(t *testing.T) {
	for relationships, want := range map[string]string{
		`{"owner":{"data":{"type":"person","id":"20"}}}`:                                                           "20",
		`{"owner":{"data":{"type":"owner","id":""}}}`:                                                              "",
		`{"other":[1],"owner":{"links":{"self":"/x"},"meta":{},"data":{"meta":{"a":1},"type":"person","id":"é"}}}`: "é",
	} {
		if got, err := readRelation(relationships); err != nil || got == nil || *got != want {
			t.Errorf("%s: %v, %v", relationships, got, err)
		}
	}
	for _, absent := range []string{`null`, `{}`, `{"owner":{"data":null}}`, `{"other":{"data":{"type":"person","id":"20"}}}`, `{"Owner":1}`} {
		if got, err := readRelation(absent); err != nil || got != nil {
			t.Errorf("%s: %v, %v", absent, got, err)
		}
	}
	const at = "/data/relationships/owner"
	for relationships, pointer := range map[string]string{
		`[]`: "/data/relationships", `"x"`: "/data/relationships", `1`: "/data/relationships",
		`{"owner":null}`: at, `{"owner":"20"}`: at, `{"owner":[]}`: at, `{"owner":{}}`: at, `{"owner":{"id":"20"}}`: at,
		`{"owner":{"data":[]}}`: at, `{"owner":{"data":"20"}}`: at, `{"owner":{"data":[{"type":"person","id":"20"}]}}`: at,
		`{"owner":{"data":{"type":"person"}}}`: at, `{"owner":{"data":{"id":"20"}}}`: at, `{"owner":{"data":{"type":"person","id":20}}}`: at,
		`{"owner":{"data":{"type":"person","id":null}}}`: at, `{"owner":{"data":{"type":"person","id":"20","attributes":{}}}}`: at,
		`{"owner":{"data":{"type":"Person","id":"20"}}}`: at + "/data/type", `{"owner":{"data":{"type":"","id":"20"}}}`: at + "/data/type",
	} {
		_, err := readRelation(relationships)
		var e *apierr.Error
		if !errors.As(err, &e) || e.Code != apierr.InvalidRequest || e.Field != pointer {
			t.Errorf("%s: %v, want an error at %s", relationships, err, pointer)
		}
	}
	// Names are unique here too.
	for _, twice := range []string{
		`{"owner":{"data":{"type":"person","id":"20"}},"owner":{"data":{"type":"person","id":"21"}}}`,
		`{"owner":{"data":{"type":"person","id":"20","id":"21"}}}`,
	} {
		if got, err := readRelation(twice); err == nil || got != nil {
			t.Errorf("%s: %v", twice, got)
		}
	}
}
