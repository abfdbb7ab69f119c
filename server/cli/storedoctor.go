package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/doctor"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

const pathStore = "store"

// maxHeldShown is how many records of a kind are counted and listed.
const maxHeldShown = 1000

// releaseAll is the value of --release for everything.
const releaseAll = "all"

func (a *app) storeDoctorCommand() *cobra.Command {
	var release []string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Show and release what is held back since the store came back older",
		Long: `If the store came back older than it was (restored, rolled back, or failed over
while no grantd was watching), nobody knows which clients, secrets, partners, API
keys or grants had ended. They are held back: they get no tokens, and the keys do
not work. This command says why, what is held back, and since when changes may be
lost. End again what must not work (deactivate, delete, rotate-secret, key revoke),
then release the rest.

The exit code is 3 if something is held back.`,
		Example: `  grantd store doctor
  grantd store doctor --release client:billing --release org
  grantd store doctor --release all`,
		Args: operands(),
	}
	c.Flags().StringArrayVar(&release, "release", nil, "let it be used again: `WHAT` is all, a kind such as client, or a record such as client:ID (may be repeated)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		server, err := a.connect(c)
		if err != nil {
			return err
		}
		response, err := server.do(c.Context(), call{method: http.MethodGet, path: path(pathStore)})
		if err != nil {
			return err
		}
		state, err := decode[doctor.State](response)
		if err != nil {
			return err
		}
		for _, what := range release {
			if err := a.release(c, server, state, what); err != nil {
				return err
			}
		}
		if len(release) > 0 {
			if response, err = server.do(c.Context(), call{method: http.MethodGet, path: path(pathStore)}); err != nil {
				return err
			}
			if state, err = decode[doctor.State](response); err != nil {
				return err
			}
		}
		return a.showDoctor(c.Context(), server, state)
	}
	return a.connectFlags(a.final(c, func(*question) string {
		if len(release) == 0 {
			return "" // it only looks
		}
		return "what is released (" + visible(strings.Join(release, ", ")) + ") is used again at once as the store has it, and is not held back again: " +
			"first end again what must not work"
	}))
}

// release releases all, a kind, or one record.
func (a *app) release(c *cobra.Command, server *api, state doctor.State, what string) error {
	ctx := c.Context()
	var hold uint64
	if state.Hold != nil {
		hold = state.Hold.Number
	}
	kinds := state.Kinds
	post := func(kind, id string) error {
		body := doctor.ReleaseRequest{Kind: kind, ID: id, All: id == "", Hold: hold}
		_, err := server.do(ctx, call{method: http.MethodPost, path: path(pathStore, "release"), body: body})
		return err
	}
	kind, id, one := strings.Cut(what, ":")
	if what != releaseAll && !slices.Contains(kinds, kind) || one && id == "" {
		return misuse(c, "--release %s: name all, a kind (%s), or a record such as client:ID", what, strings.Join(kinds, ", "))
	}
	if one {
		return post(kind, id)
	}
	if what != releaseAll {
		kinds = []string{what}
	}
	for _, kind := range kinds {
		if err := post(kind, ""); err != nil {
			return err
		}
		// What is left are records that lost their newest change.
		left, err := server.held(ctx, kind, everything)
		if err != nil {
			return err
		}
		shown := time.Now()
		for i, r := range left {
			if err := post(kind, r.ID); err != nil {
				return err
			}
			if time.Since(shown) >= progressEvery {
				shown = time.Now()
				a.say("released so far: %d of %s of the kind %s", i+1, plural(len(left), "record"), kind)
			}
		}
	}
	return nil
}

// held returns up to limit records of the kind that are held back.
func (c *api) held(ctx context.Context, kind string, limit int) ([]registry.HeldRecord, error) {
	response, err := c.collectPages(ctx, call{path: path(pathStore, "held"), query: url.Values{"kind": {kind}}}, "records", limit)
	if err != nil {
		return nil, err
	}
	page, err := decode[map[string][]registry.HeldRecord](response)
	return page["records"], err
}

// heldKind is what is held back of one kind.
type heldKind struct {
	Kind    string                `json:"kind"`
	Count   int                   `json:"count"`
	More    bool                  `json:"more"` // than Count
	Records []registry.HeldRecord `json:"records"`
}

// doctorReport is what is printed as JSON.
type doctorReport struct {
	Hold     *doctor.View `json:"hold"`
	HeldBack []heldKind   `json:"held_back"`
}

func (a *app) showDoctor(ctx context.Context, server *api, state doctor.State) error {
	report := doctorReport{Hold: state.Hold, HeldBack: []heldKind{}}
	for _, kind := range state.Kinds {
		records, err := server.held(ctx, kind, maxHeldShown+1)
		if err != nil {
			return err
		}
		if n := len(records); n > 0 {
			kept := records[:min(n, maxHeldShown)]
			report.HeldBack = append(report.HeldBack, heldKind{kind, len(kept), n > len(kept), kept})
		}
	}
	if a.output == outputJSON {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printDoctor(report)
	}
	if len(report.HeldBack) > 0 {
		return errFound
	}
	return nil
}

func (a *app) printDoctor(r doctorReport) {
	if h := r.Hold; h != nil {
		a.println("The store came back older at %s: %s.", h.Since.Format(time.RFC3339), causeText(h.Cause))
		if h.LastKnown != nil {
			a.println("The newest change that it still had is of %s. What was changed between the two may be lost.", h.LastKnown.Format(time.RFC3339))
		}
	}
	if len(r.HeldBack) == 0 {
		a.println("Nothing is held back.")
		return
	}
	var rows [][]string
	for _, k := range r.HeldBack {
		for _, record := range k.Records {
			why := "a change of it may be lost"
			if record.Lost {
				why = "a change of it was lost"
			}
			if record.Ended {
				why = "it has ended: there is nothing to do"
			}
			rows = append(rows, []string{k.Kind + ":" + text(record.ID), why, record.UpdatedAt.Format(time.RFC3339)})
		}
		if k.More {
			rows = append(rows, []string{fmt.Sprintf("%s: more than %d", k.Kind, k.Count), absent, absent})
		}
	}
	a.grid([]string{"HELD BACK", "WHY", "UPDATED"}, rows)
	a.println("End again what must not work, then: grantd store doctor --release all")
}

func causeText(c store.HoldCause) string {
	switch c {
	case store.Unwitnessed:
		return "it restarted, failed over or was restored while no grantd was watching"
	case store.BeyondMemory:
		return "it came back from before what the running grantd remembers"
	}
	return text(c)
}
