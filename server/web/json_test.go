package web

import "testing"

// TestMember: a refusal names the member that is wrong, but nothing that may be a
// credential.
func TestMember(t *testing.T) {
	type record struct {
		Name *string `json:"name"`
		List []struct {
			Phone string `json:"phone"`
		} `json:"list"`
	}
	for body, want := range map[string]string{
		`{"nam":"x"}`:                     "nam",
		`{"name":7}`:                      "name",
		`{"list":[{"mail":"x"}]}`:         "mail",
		`{"list":[{"phone":7}]}`:          "phone",
		`{"Name":"x"}`:                    "",
		`{"gs_live_AAAAAAAA_0123":"x"}`:   "",
		`{"5f4dcc3b5aa765d61d8327de":1}`:  "",
		`{"aaaaaaaaaaaaaaaaaaaaaaaaa":1}`: "", // 25 letters
		`{"name":"x","name":"y"}`:         "",
		`{`:                               "",
		`[]`:                              "",
	} {
		wrong := decode([]byte(body), &record{})
		if wrong == nil || wrong.member() != want {
			t.Errorf("%s: %v, want the member %q", body, wrong, want)
		}
	}
}
