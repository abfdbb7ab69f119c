package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/tokenadmin"
)

const (
	// maxScan limits the text of leak --scan, in bytes.
	maxScan = 1 << 20
	// scanOverlap is how much of a part is in the next one too, if there is no line
	// break to cut at: more than the longest credential in a Basic header.
	scanOverlap = 8 << 10
)

// scanLeaks finds the credentials in a text and, with end, ends them.
func (a *app) scanLeaks(c *cobra.Command, args []string, end bool) error {
	text, err := a.readText(c, args)
	if err != nil {
		return err
	}
	server, err := a.connect(c)
	if err != nil {
		return err
	}
	var all tokenadmin.Scanned
	all.Found = []tokenadmin.FoundLeak{}
	seen := map[string]bool{}
	for part := range textParts(text) {
		found, err := scanPart(c.Context(), server, part, !end)
		for _, f := range found {
			if id, _ := json.Marshal([]any{f.Masked, f.Leak.Names()}); !seen[string(id)] {
				seen[string(id)] = true
				all.Found = append(all.Found, f)
			}
		}
		if err != nil {
			if len(all.Found) > 0 && end {
				return errors.Join(fmt.Errorf("%d credentials were dealt with before this error: repeat the command", len(all.Found)), err)
			}
			return err
		}
	}
	members := map[string]any{"found": all.Found}
	if a.unconfirmed != "" {
		members["state"], members["state_detail"] = admin.StateUnconfirmed, a.unconfirmed
	}
	response, err := json.Marshal(members)
	if err == nil {
		err = show(a, response, a.scannedGrid)
	}
	if err != nil || end || len(all.Found) == 0 {
		return err
	}
	return a.sayScanned(all.Found)
}

// sayScanned says what a scan found that ended nothing. It returns errFound unless all
// of it has ended already.
func (a *app) sayScanned(all []tokenadmin.FoundLeak) error {
	foreign := false
	for _, f := range all {
		if f.Leak != nil && !f.Leak.AlreadyEnded {
			a.say("nothing was ended: repeat with --yes to end those that this server recognizes")
			return errFound
		}
		foreign = foreign || f.Leak == nil
	}
	if foreign {
		a.say("none of these works here: those that are not of this server may work at the server that made them")
		return errFound
	}
	a.say("all of these have ended already")
	return nil
}

// scanPart returns what one part of the text has, in as many requests as needed.
func scanPart(ctx context.Context, server *api, part string, check bool) (found []tokenadmin.FoundLeak, err error) {
	for {
		body := map[string]any{"text": part}
		if check {
			body["check"] = true
		}
		response, err := server.do(ctx, call{method: http.MethodPost, path: path("leaks"), body: body})
		if err != nil {
			return found, err
		}
		scanned, err := decode[tokenadmin.Scanned](response)
		if err != nil {
			return found, err
		}
		found = append(found, scanned.Found...)
		if scanned.Next <= 0 || scanned.Next >= len(part) {
			return found, nil
		}
		part = part[scanned.Next:]
	}
}

// textParts returns the text in parts that fit into a request. A credential is whole
// in at least one of them.
func textParts(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(text) > tokenadmin.MaxScan {
			cut := strings.LastIndexByte(text[:tokenadmin.MaxScan], '\n')
			next := cut
			if cut < scanOverlap {
				cut = tokenadmin.MaxScan
				next = cut - scanOverlap
			}
			if !yield(text[:cut]) {
				return
			}
			text = text[next:]
		}
		yield(text)
	}
}

// readText returns the text of the file, or of standard input. What is not UTF-8 is
// replaced: no credential has it.
func (a *app) readText(c *cobra.Command, args []string) (string, error) {
	in := a.in
	if len(args) > 0 && args[0] != "-" {
		file, err := os.Open(args[0])
		if errors.Is(err, fs.ErrNotExist) {
			return "", noFile("", "FILE", args[0])
		}
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = io.Reader(file)
	}
	b, err := readAll(c.Context(), in, maxScan)
	if errors.Is(err, errTooMuch) {
		return "", fmt.Errorf("the text is longer than %d bytes: split it, for example with 'split -C 1000k'", maxScan)
	}
	if !utf8.Valid(b) {
		return strings.ToValidUTF8(string(b), "?"), err
	}
	return string(b), err
}

func (a *app) scannedGrid(s tokenadmin.Scanned) {
	var rows [][]string
	for _, f := range s.Found {
		row := []string{text(f.Masked), "not of this server", absent, absent, absent, absent, absent}
		if l := f.Leak; l != nil {
			owner, at, ip := l.ClientID, absent, absent
			if owner == "" {
				owner = l.PartnerID
			}
			if l.KeyID != "" {
				owner = l.OrgID + "/" + l.KeyOwner
			}
			if l.Use != nil {
				at, ip = stamp(l.Use.LastUsedAt), optionalText(l.Use.LastUsedIP)
			}
			row = []string{text(f.Masked), text(l.Kind), text(owner), text(l.Names()), leakState(l), at, ip}
		}
		rows = append(rows, row)
	}
	a.grid([]string{"FOUND", "KIND", "OF", "ID", "STATE", "LAST_USED_AT", "LAST_USED_IP"}, rows)
}

// leakState returns a cell that says whether a credential works.
func leakState(l *tokenadmin.Leak) string {
	state := ownState(l)
	if len(l.KeysEnded) > 0 {
		state += ", and now the keys " + strings.Join(l.KeysEnded, " ")
	}
	return state
}

// ownState is leakState without what the credential made.
func ownState(l *tokenadmin.Leak) string {
	switch {
	case l.AlreadyEnded && l.EndedAt != nil:
		return "ended already at " + stamp(l.EndedAt)
	case l.AlreadyEnded:
		return "ended already"
	case l.Ended:
		return "ended now"
	}
	return "works"
}
