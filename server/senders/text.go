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
	voice string // language tag of a voice that Twilio has (BCP 47)
}

var languages = map[string]phrases{
	"en": {
		text:  "Your %s verification code is: %s",
		lead:  "Your %s verification code is:",
		again: "Once more, your code is:",
		voice: "en-US",
	},
	// Mexican Spanish: most customers have phone numbers of the United States,
	// where most Spanish speakers use it.
	"es": {
		text:  "Tu código de verificación de %s es: %s",
		lead:  "Tu código de verificación de %s es:",
		again: "Una vez más, tu código es:",
		voice: "es-MX",
	},
}

// languageOf returns the language of a message: English if none is given, or one
// that has no texts.
func languageOf(language string) string {
	if _, ok := languages[language]; !ok {
		return "en"
	}
	return language
}

// Text returns the written message. The hash of an app is alone on the last line,
// where Android's SMS Retriever looks for it. SMS Retriever also requires at most
// 140 bytes, which a name longer than about 85 bytes exceeds. In Spanish, the ó
// limits an SMS to 70 characters, so a long name makes it two.
func Text(m Message) string {
	text := fmt.Sprintf(languages[languageOf(m.Language)].text, oneLine(m.Name), m.Code)
	if m.Channel == SMS && m.AppHash != "" {
		text += "\n" + m.AppHash
	}
	return text
}

// Speech returns the spoken message: TwiML that reads the code twice, digit by
// digit with a second between them, slowly enough to write it down.
func Speech(m Message) string {
	p := languages[languageOf(m.Language)]
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Response>\n")
	say := func(text string) {
		fmt.Fprintf(&b, "  <Say language=%q>", p.voice)
		_ = xml.EscapeText(&b, []byte(text)) // writing to a Builder does not fail
		b.WriteString("</Say>\n  <Pause length=\"1\"/>\n")
	}
	for _, lead := range []string{fmt.Sprintf(p.lead, oneLine(m.Name)), p.again} {
		say(lead)
		for _, digit := range m.Code {
			say(string(digit))
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
