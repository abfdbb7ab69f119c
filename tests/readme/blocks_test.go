package readme

import "strings"

// block is a fenced block or a paragraph of the README.
type block struct {
	line int
	lang string // "": a paragraph
	text string
}

// blocks splits Markdown.
func blocks(markdown string) (all []block) {
	var now *block
	end := func() {
		if now != nil {
			all = append(all, *now)
			now = nil
		}
	}
	for i, line := range strings.Split(markdown, "\n") {
		fence := strings.HasPrefix(line, "```")
		switch {
		case fence && now != nil && now.lang != "":
			end()
		case fence:
			end()
			now = &block{line: i + 1, lang: strings.TrimPrefix(line, "```")}
		case now != nil && now.lang != "":
			now.text += line + "\n"
		case strings.TrimSpace(line) == "":
			end()
		case now == nil:
			now = &block{line: i + 1, text: line + "\n"}
		default:
			now.text += line + "\n"
		}
	}
	end()
	return all
}
