package credential

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func values(list []Candidate) (found []string) {
	for _, c := range list {
		found = append(found, c.Value)
	}
	return found
}

func TestFind(t *testing.T) {
	const prefix = "acme_"
	secret, _, _ := NewSecret("live")
	partner, _ := PartnerToken.NewPrefix("sandbox")
	partner += newBody()
	token, custom, proof := AccessTokenPrefix("sandbox")+newBody(), prefix+newBody(), NewVerificationToken("live", 0)
	header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("billing:"+secret))
	for name, row := range map[string]struct {
		text string
		want []string
	}{
		"alone":              {secret, []string{secret}},
		"quotes":             {`"` + secret + `"`, []string{secret}},
		"a shell":            {"export GRANTD_SECRET='" + secret + "'\n", []string{secret}},
		"a URL":              {"https://x.example/?token=" + token + "&a=b", []string{token}},
		"all forms":          {secret + "," + partner + ";" + token + " " + custom + "\t" + proof, []string{secret, partner, token, custom, proof}},
		"repeated":           {token + " " + secret + " " + token, []string{token, secret}},
		"glued":              {"x" + secret + "y" + token, []string{secret, token}},
		"one after another":  {secret + token, []string{secret, token}},
		"a Basic header":     {header, []string{secret}},
		"Basic and plain":    {header + "\n" + token + " " + secret, []string{secret, token}},
		"a bad Basic header": {"Basic ============ Basic " + strings.Repeat("A", 5000), nil},
		"too short":          {secret[:len(secret)-1], nil},
		"a bad id":           {"gs_live_Ab3-Ef7h_" + newBody(), nil},
		"no environment":     {"gs_" + newBody() + newBody(), nil},
		"a client id":        {NewClientID(), nil},
		"nothing":            {"", nil},
	} {
		if got := values(Find(row.text, prefix)); !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
	bare := newBody()
	if got := values(Find("a="+bare+" b="+bare+"x c="+secret, "")); !slices.Equal(got, []string{bare, secret}) {
		t.Errorf("without a prefix: %q", got)
	}
	for _, value := range []string{secret, partner, token, custom, bare} {
		if m := Mask(value); len(m) > len(value)-bodyLength+shownOfBody+len("…") || !strings.HasPrefix(value, strings.TrimSuffix(m, "…")) {
			t.Errorf("masked: %s", m)
		}
	}
}

// What Find returns is in the text or in a Basic header of it, has the form, and is
// found again in what is left after what was found before.
func FuzzFind(f *testing.F) {
	secret, _, _ := NewSecret("live")
	f.Add("export X="+secret+"\n", "gt_live_")
	f.Add("Basic "+base64.StdEncoding.EncodeToString([]byte("a:"+secret)), "")
	f.Add(strings.Repeat("g", 100)+secret, "g")
	f.Add(newBody()+" "+newBody(), "")
	f.Fuzz(func(t *testing.T, text, prefix string) {
		last := 0
		for _, c := range Find(text, prefix) {
			if c.End < last || c.End > len(text) || len(c.Value) < bodyLength || len(c.Value) > len(prefix)+len(secret)+len("sandbox") {
				t.Fatalf("%q at %d of %q", c.Value, c.End, text)
			}
			last = c.End
			if len(Mask(c.Value)) > len(c.Value)-bodyLength+shownOfBody+len("…") {
				t.Errorf("%q is masked as %q", c.Value, Mask(c.Value))
			}
			if again := Find(c.Value, prefix); len(again) == 0 {
				t.Errorf("%q alone is not found", c.Value)
			}
		}
	})
}
