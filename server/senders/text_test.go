package senders

import (
	"encoding/xml"
	"strings"
	"testing"
)

func TestGoldenTexts(t *testing.T) {
	for _, language := range []string{"en", "es"} {
		m := message()
		m.Language = language
		golden(t, language+".sms-hash.txt", Text(m))
		m.AppHash = ""
		golden(t, language+".sms.txt", Text(m))
	}
	// fr: an English text, and French digits. en-GB: a British voice. tr: no voice.
	for _, language := range []string{"en", "es", "fr", "en-GB", "tr"} {
		m := message()
		m.Language, m.Channel, m.Name = language, Call, "Smith & <Sons>"
		golden(t, language+".call.xml", Speech(m))
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(*Message)
		want   string
	}{
		{"English", func(m *Message) { m.AppHash = "" }, "Your Acme verification code is: 048213"},
		{"hash on a last line", func(*Message) {}, "Your Acme verification code is: 048213\nFA+9qCX9VSu"},
		{"no hash on a call", func(m *Message) { m.Channel = Call }, "Your Acme verification code is: 048213"},
		{"a language without texts is English", func(m *Message) { m.AppHash, m.Language = "", "fr" }, "Your Acme verification code is: 048213"},
		{"a region without texts is English", func(m *Message) { m.AppHash, m.Language = "", "en-GB" }, "Your Acme verification code is: 048213"},
		{"no language is English", func(m *Message) { m.AppHash, m.Language = "", "" }, "Your Acme verification code is: 048213"},
		{"a name is data", func(m *Message) { m.AppHash, m.Name = "", "100%d {{.}}" }, "Your 100%d {{.}} verification code is: 048213"},
		{"a name stays on its line", func(m *Message) { m.AppHash, m.Name = "", "Ac\r\nme\u2028\t\x00 Inc\u202e" }, "Your Ac me Inc verification code is: 048213"},
		{"a name that is not UTF-8", func(m *Message) { m.AppHash, m.Name = "", "Ac\xffme" }, "Your Ac me verification code is: 048213"},
		{"letters and signs stay", func(m *Message) { m.AppHash, m.Name = "", "Ñandú & Söhne, Inc." }, "Your Ñandú & Söhne, Inc. verification code is: 048213"},
	} {
		m := message()
		c.change(&m)
		if got := Text(m); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestSMSRetrieverAcceptsUsualNames(t *testing.T) {
	for _, language := range []string{"en", "es"} {
		m := message()
		m.Language, m.Name = language, strings.Repeat("n", 64) // config's longest product name
		if n := len(Text(m)); n > 140 {
			t.Errorf("%s: %d bytes, SMS Retriever accepts at most 140", language, n)
		}
	}
}

// TestSpeechIsTwiML parses the speech: it has every digit twice, alone and followed
// by a pause, and no element that came from the name.
func TestSpeechIsTwiML(t *testing.T) {
	m := message()
	m.Channel, m.Name = Call, `</Say><Dial>+19005550100</Dial>"'&`
	var read struct {
		XMLName xml.Name `xml:"Response"`
		Verbs   []struct {
			XMLName  xml.Name
			Language string `xml:"language,attr"`
			Text     string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal([]byte(Speech(m)), &read); err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for i, v := range read.Verbs {
		switch {
		case i%2 == 0 && v.XMLName.Local == "Say" && v.Language == "en-US":
			if len(v.Text) == 1 {
				digits.WriteString(v.Text)
			}
		case i%2 == 1 && v.XMLName.Local == "Pause":
		default:
			t.Errorf("verb %d is %+v", i, v)
		}
	}
	if digits.String() != m.Code+m.Code {
		t.Errorf("digits %s, want the code twice", digits.String())
	}
	if lead := read.Verbs[0].Text; lead != "Your "+m.Name+" verification code is:" {
		t.Errorf("it begins with %q", lead)
	}
}

// Each language is there once, and a voice is of its language.
func TestLanguages(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range spokenLanguages {
		if seen[l.code] {
			t.Errorf("%s is repeated", l.code)
		}
		seen[l.code] = true
		base, _, _ := strings.Cut(l.code, "-")
		if l.voice != "" && !strings.HasPrefix(l.voice, base+"-") {
			t.Errorf("%s is said by %s", l.code, l.voice)
		}
	}
	for code := range texts {
		if !seen[code] || voiceOf(code) == "" {
			t.Errorf("there are texts in %s, which nobody can ask for", code)
		}
	}
	if codes := Languages(); len(codes) != 41 || codes[0] != english {
		t.Errorf("%d languages, the first is %s", len(codes), codes[0])
	}
}
