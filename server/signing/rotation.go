package signing

import (
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

const (
	day = 24 * time.Hour
	// rotateAfter is how long a key signs before the next one is published.
	rotateAfter = 90 * day
	// publishFor is how long a key is published before it signs: resource servers
	// that read the keys at least once a day never meet one that they do not have.
	publishFor = day
	// keepFor is how long a key stays published after it signed. Signatures are
	// checked at once, so this is for those who look at old ones.
	keepFor = 30 * day
	// maxKeys bounds the record. If a key more is published, the key that retired first
	// is dropped early.
	maxKeys = 10
)

var (
	errNextExists = apierr.New(apierr.Conflict, "the next signing key is already published, and signs one day after that: to let it sign at once, set now (--now)")
	errNoKey      = apierr.New(apierr.NotFound, "there is no signing key with this id")
	errSigns      = apierr.New(apierr.Conflict, "this key has begun to sign in the meantime: try again")
)

// find returns the index of the key, or -1.
func find(k *store.SigningKeys, is func(*store.SigningKey) bool) int {
	for i := range k.Keys {
		if is(&k.Keys[i]) {
			return i
		}
	}
	return -1
}

// publish adds a key, which does not sign yet. It returns the id of the next key.
// Errors: errNextExists.
func publish(k *store.SigningKeys, next store.SigningKey) (id string, err error) {
	if i := find(k, (*store.SigningKey).IsNext); i >= 0 {
		return k.Keys[i].ID, errNextExists
	}
	kept := slices.Clone(k.Keys)
	for len(kept) >= maxKeys { // all but one have retired
		oldest := find(&store.SigningKeys{Keys: kept}, func(key *store.SigningKey) bool { return !key.Signs() })
		kept = slices.Delete(kept, oldest, oldest+1)
	}
	k.Keys = append(kept, next)
	return next.ID, nil
}

// activate lets the next key sign, and returns its id. Errors: registry.ErrUnchanged
// if there is none.
func activate(k *store.SigningKeys, now time.Time) (id string, err error) {
	next := find(k, (*store.SigningKey).IsNext)
	if next < 0 {
		return "", registry.ErrUnchanged
	}
	k.Keys = slices.Clone(k.Keys)
	for i := range k.Keys {
		if k.Keys[i].Signs() {
			k.Keys[i].RetiredAt = now
		}
	}
	k.Keys[next].SignsSince = now
	return k.Keys[next].ID, nil
}

// remove removes a key that does not sign. Errors: errNoKey, errSigns.
func remove(k *store.SigningKeys, id string) error {
	i := find(k, func(key *store.SigningKey) bool { return key.ID == id })
	switch {
	case i < 0:
		return errNoKey
	case k.Keys[i].Signs():
		return errSigns
	}
	k.Keys = slices.Delete(slices.Clone(k.Keys), i, i+1)
	return nil
}

// expire removes the keys that have been published for long enough after they
// retired. Errors: registry.ErrUnchanged if there are none.
func expire(k *store.SigningKeys, now time.Time) error {
	kept := slices.DeleteFunc(slices.Clone(k.Keys), func(key store.SigningKey) bool {
		return !key.RetiredAt.IsZero() && now.Sub(key.RetiredAt) >= keepFor
	})
	if len(kept) == len(k.Keys) {
		return registry.ErrUnchanged
	}
	k.Keys = kept
	return nil
}

// step is what the passing of time asks for.
type step string

const (
	stepNone     step = ""
	stepPublish  step = "publish"
	stepActivate step = "activate"
	stepExpire   step = "expire"
)

// due returns the step that is due.
func due(k *store.SigningKeys, now time.Time) step {
	if next := find(k, (*store.SigningKey).IsNext); next >= 0 {
		if now.Sub(k.Keys[next].CreatedAt) >= publishFor {
			return stepActivate
		}
	} else if i := find(k, (*store.SigningKey).Signs); i >= 0 && now.Sub(k.Keys[i].SignsSince) >= rotateAfter {
		return stepPublish
	}
	if expire(&store.SigningKeys{Keys: k.Keys}, now) == nil {
		return stepExpire
	}
	return stepNone
}
