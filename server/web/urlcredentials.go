package web

import (
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

// inURL has the names that must never be in a query (RFC 6749 §2.3.1; RFC 9700
// §4.3.2 for the query parameter of RFC 6750 §2.3).
var inURL = map[string]bool{
	"client_id": true, "client_secret": true, "client_assertion": true, "token": true,
	"access_token": true, "bearer_token": true, "subject_token": true, "actor_token": true, "refresh_token": true,
}

var errInURL = apierr.New(apierr.InvalidRequest, "credentials and tokens must not be in the URL: send them in the body or a header, and replace the one that was exposed")

// WithoutURLCredentials returns h for requests without a credential or token in the
// query. Others are refused before h is called, also where h would not use it, so that
// the sender notices.
func WithoutURLCredentials(h Handler) Handler {
	return func(c *gin.Context) error {
		if err := refuseURLCredentials(c); err != nil {
			return err
		}
		return h(c)
	}
}

// refuseURLCredentials returns an error if the query holds a credential or token.
func refuseURLCredentials(c *gin.Context) error {
	if c.Request.URL.RawQuery == "" {
		return nil
	}
	for part := range strings.FieldsFuncSeq(c.Request.URL.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if inURL[name] {
			EventOf(c).Note = "credential exposed in the URL"
			return errInURL
		}
	}
	return nil
}
