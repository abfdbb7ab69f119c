package config

// Nearest returns the candidate that word is most likely a misspelling of, or "" if
// none is close: at most two letters are wrong, missing or too many, or exchanged,
// and less than half of the word.
func Nearest(word string, candidates []string) string {
	const longest = 64
	best, distance := "", 3
	if len(word) > longest {
		return ""
	}
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := editDistance(word, c); d < distance && 2*d < len(word) {
			best, distance = c, d
		}
	}
	return best
}

// editDistance returns how many bytes must be changed, added, removed or exchanged
// with the next one to make b of a.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
