package readme

import "strings"

// block is a fenced block or a paragraph of a page.
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

// section returns the part of a page below a heading, up to the next heading
// of the same or a higher level, and how many lines come before that part. A
// heading that is not there gives an empty part.
func section(markdown, heading string) (part string, before int) {
	above, below, found := strings.Cut("\n"+markdown, "\n"+heading+"\n")
	if !found {
		return "", 0
	}
	level, fenced := strings.IndexByte(heading, ' '), false
	var b strings.Builder
	for line := range strings.Lines(below) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		marks := len(line) - len(strings.TrimLeft(line, "#"))
		if !fenced && marks > 0 && marks <= level && line[marks] == ' ' {
			break
		}
		b.WriteString(line)
	}
	return b.String(), strings.Count(above, "\n") + 1
}
