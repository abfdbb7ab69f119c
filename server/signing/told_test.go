package signing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAuditNamesTheKey: the target of an event is the key that was made or removed, or
// that begins to sign; an id that no key can have is not shown.
func TestAuditNamesTheKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		ctx, first := t.Context(), a.signs(t, a)
		_, err := a.Rotate(ctx, operator, false)
		ok(t, err)
		_, refused := a.Rotate(ctx, operator, false)
		_, err = a.Rotate(ctx, operator, true)
		ok(t, err)
		second := a.signs(t, a)
		ok(t, a.Remove(ctx, operator, first))
		gone, pasted := a.Remove(ctx, operator, first), a.Remove(ctx, operator, "gs_sandbox_secret")
		if refused == nil || gone == nil || pasted == nil {
			t.Errorf("not refused: %v, %v, %v", refused, gone, pasted)
		}
		want := []string{first, second, second, second, first, first, "?"}
		for i := range want {
			want[i] = "signing_key:" + want[i]
		}
		if d := cmp.Diff(want, w.targets()); d != "" {
			t.Errorf("targets:\n%s", d)
		}
	})
}

// TestSinceIsToldAtOnce: the age of the key that signs is known as soon as it is used.
func TestSinceIsToldAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		a.signs(t, a)
		if got, want := w.since.Load(), w.now().Unix(); got != want {
			t.Errorf("since %d, want %d", got, want)
		}
		w.pass(time.Hour)
		_, err := a.Rotate(t.Context(), operator, true)
		ok(t, err)
		a.signs(t, a)
		if got, want := w.since.Load(), w.now().Unix(); got != want {
			t.Errorf("after a rotation: since %d, want %d", got, want)
		}
	})
}
