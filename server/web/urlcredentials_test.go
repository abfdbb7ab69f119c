package web

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestWithoutURLCredentials(t *testing.T) {
	h := WithoutURLCredentials(func(*gin.Context) error { return nil })
	for query, want := range map[string]error{"": nil, "?for=issue": nil, "?access_token=x": errInURL, "?a=b&client%5Fsecret=x": errInURL} {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequestWithContext(t.Context(), "GET", "/oauth/jwks"+query, nil)
		if err := h(c); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", query, err, want)
		}
	}
}
