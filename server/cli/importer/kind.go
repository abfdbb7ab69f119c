package importer

import "cmp"

// Kind is what an importer must know of the records of one file format.
type Kind[T any] struct {
	Noun string // such as "customer"
	Key  string // the member of a line that holds the id
	ID   func(T) string
	// Parse reads one line. Its notes are what people should know of the line
	// although it is right. They come from a small set.
	Parse func(line []byte) (record T, notes []string, err error)
	// Members are the names that members of the admin API have in the file. A member that
	// is not there has the same name.
	Members map[string]string
}

// member returns the name in the file of a member of the admin API.
func (k Kind[T]) member(name string) string { return cmp.Or(k.Members[name], name) }

// notes gathers the notes of the lines: each is reported once, however many lines
// have it.
type notes struct {
	source, noun string
	texts        []string
	count, first map[string]int
}

func (n *notes) add(line int, texts []string) {
	if n.count == nil {
		n.count, n.first = map[string]int{}, map[string]int{}
	}
	for _, text := range texts {
		if n.count[text]++; n.count[text] == 1 {
			n.first[text] = line
			n.texts = append(n.texts, text)
		}
	}
}

func (n *notes) report(notify Notify) {
	for _, text := range n.texts {
		notify("note: %s:%d: %s (%s in all)", n.source, n.first[text], text, plural(n.count[text], n.noun))
	}
}
