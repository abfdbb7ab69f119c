package senders

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"
)

// phrases are the texts of one language. %s is the name, then the code.
type phrases struct {
	text  string
	lead  string // spoken before the code
	again string // spoken before the code is repeated
}

var texts = map[string]phrases{
	english: {
		text:  "Your %s verification code is: %s",
		lead:  "Your %s verification code is:",
		again: "Once more, your code is:",
	},
	"es": {
		text:  "Tu código de verificación de %s es: %s",
		lead:  "Tu código de verificación de %s es:",
		again: "Una vez más, tu código es:",
	},
}

// Text returns the written message. The hash of an app is alone on the last line,
// where Android's SMS Retriever looks for it. SMS Retriever also requires at most
// 140 bytes, which a name longer than about 85 bytes exceeds. In Spanish, the ó
// limits an SMS to 70 characters, so a long name makes it two.
func Text(m Message) string {
	text := fmt.Sprintf(texts[textLanguage(m.Language)].text, oneLine(m.Name), m.Code)
	if m.Channel == SMS && m.AppHash != "" {
		text += "\n" + m.AppHash
	}
	return text
}

// Speech returns the spoken message: TwiML that reads the code twice, digit by
// digit with a second between them, slowly enough to write it down. A voice of the
// message's language says the digits, also where the words around them are English.
func Speech(m Message) string {
	words := textLanguage(m.Language)
	p := texts[words]
	if strings.HasPrefix(m.Language, words+"-") {
		words = m.Language // the same words in the voice of a region
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Response>\n")
	say := func(language, text string) {
		fmt.Fprintf(&b, "  <Say language=%q>", voiceOf(language))
		_ = xml.EscapeText(&b, []byte(text)) // writing to a Builder does not fail
		b.WriteString("</Say>\n  <Pause length=\"1\"/>\n")
	}
	for _, lead := range []string{fmt.Sprintf(p.lead, oneLine(m.Name)), p.again} {
		say(words, lead)
		for _, digit := range m.Code {
			say(m.Language, string(digit))
		}
	}
	b.WriteString("</Response>\n")
	return b.String()
}

// oneLine returns the name with each run of invisible characters as one space, so
// that a name can neither end its line nor reverse its direction.
func oneLine(name string) string {
	seen := strings.FieldsFunc(strings.ToValidUTF8(name, " "), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
	return strings.Join(seen, " ")
}
