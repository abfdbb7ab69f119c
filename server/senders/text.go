package senders

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"
)

// phrases are the words of one language. %s is the name, then the code.
type phrases struct {
	text  string
	lead  string // before a code that is read out
	again string // before it is read once more
	voice string // BCP 47, of a voice that Twilio has
}

var languages = map[string]phrases{
	"en": {
		text:  "Your %s verification code is: %s",
		lead:  "Your %s verification code is:",
		again: "Once more, your code is:",
		voice: "en-US",
	},
	// A voice of Mexico: customers have numbers of the United States (seeds
	// 001), where most Spanish is from there.
	"es": {
		text:  "Tu código de verificación de %s es: %s",
		lead:  "Tu código de verificación de %s es:",
		again: "Una vez más, tu código es:",
		voice: "es-MX",
	},
}

// known is the language that a message is in: English where it is not said.
func known(language string) string {
	if _, ok := languages[language]; !ok {
		return "en"
	}
	return language
}

// Text is the message as it is read (contract §3). The hash of an app stands
// on a last line of its own, where Android's SMS Retriever looks for it; it
// also wants at most 140 bytes, which a name of more than some 85 exceeds. In
// Spanish the ó makes an SMS hold 70 characters: a long name makes it two.
func Text(m Message) string {
	text := fmt.Sprintf(languages[known(m.Language)].text, oneLine(m.Name), m.Code)
	if m.Channel == SMS && m.AppHash != "" {
		text += "\n" + m.AppHash
	}
	return text
}

// Speech is the message as it is spoken: TwiML that reads the code twice,
// digit by digit with a second between them, slowly enough to write along.
func Speech(m Message) string {
	p := languages[known(m.Language)]
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Response>\n")
	say := func(text string) {
		fmt.Fprintf(&b, "  <Say language=%q>", p.voice)
		_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
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

// oneLine keeps a name from ending its line, or turning it around: what is
// not to be seen becomes a space.
func oneLine(name string) string {
	seen := strings.FieldsFunc(strings.ToValidUTF8(name, " "), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
	return strings.Join(seen, " ")
}
