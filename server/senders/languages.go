package senders

// spoken is a language that callers may ask for.
type spoken struct {
	code  string
	voice string // BCP 47 tag of a voice that every account of Twilio has; "": none
}

// english is the language of a message that asks for none, and of the texts for a
// language that has no texts.
const english = "en"

// spokenLanguages are the languages that Unit's API accepts, in the order of its
// OpenAPI document. grantd has its own texts for those in texts. For the others, a
// receiver of webhooks can have its own, and a voice can say the digits.
//
// Say fails if Twilio has no such voice, so a tag is here only if Twilio has had it
// since its first voices.
var spokenLanguages = []spoken{
	{english, "en-US"}, {"af", ""}, {"ar", ""}, {"ca", "ca-ES"}, {"zh", "zh-CN"}, {"zh-CN", "zh-CN"}, {"zh-HK", "zh-HK"},
	{"hr", ""}, {"cs", ""}, {"da", "da-DK"}, {"nl", "nl-NL"}, {"en-GB", "en-GB"}, {"et", ""}, {"fi", "fi-FI"},
	{"fr", "fr-FR"}, {"de", "de-DE"}, {"el", ""}, {"he", ""}, {"hi", ""}, {"hu", ""}, {"id", ""},
	{"it", "it-IT"}, {"ja", "ja-JP"}, {"kn", ""}, {"ko", "ko-KR"}, {"ms", ""}, {"mr", ""}, {"nb", "nb-NO"},
	{"pl", "pl-PL"}, {"pt-BR", "pt-BR"}, {"pt", "pt-PT"}, {"ro", ""}, {"ru", "ru-RU"}, {"sk", ""},
	// Mexican Spanish: most customers have phone numbers of the United States,
	// where most Spanish speakers use it.
	{"es", "es-MX"},
	{"sv", "sv-SE"}, {"tl", ""}, {"te", ""}, {"th", ""}, {"tr", ""}, {"vi", ""},
}

// Languages returns the codes of the languages that a message may have. Capital
// letters count: zh-CN is one, and zh-cn is not.
func Languages() []string {
	codes := make([]string, len(spokenLanguages))
	for i, l := range spokenLanguages {
		codes[i] = l.code
	}
	return codes
}

// voiceOf returns the tag of the voice that says the digits in the language: of an
// English one if there is none.
func voiceOf(language string) string {
	for _, l := range spokenLanguages {
		if l.code == language && l.voice != "" {
			return l.voice
		}
	}
	return spokenLanguages[0].voice
}

// textLanguage returns the language of the texts for a message in the language.
func textLanguage(language string) string {
	if _, ok := texts[language]; !ok {
		return english
	}
	return language
}
