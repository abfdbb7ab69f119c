package embedded

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// inGroup is the value of each key in an index of groups.
var inGroup = []byte{1}

// checkKeys refuses a record whose id, or whose member of an index, cannot be a key.
func checkKeys(r store.Encoded) error {
	if err := checkID(r.ID); err != nil {
		return err
	}
	return checkID(store.GroupMember(r.Group, r.ID))
}

// put writes the record, also into the index of groups.
func (k *records[R]) put(tx *bbolt.Tx, r store.Encoded) error {
	if err := k.leaveGroup(tx, r.ID, r.Group); err != nil {
		return err
	}
	if k.groups != nil && r.Group != "" {
		if err := tx.Bucket(k.groups).Put([]byte(store.GroupMember(r.Group, r.ID)), inGroup); err != nil {
			return err
		}
	}
	return tx.Bucket(k.bucket).Put([]byte(r.ID), r.Form)
}

// load writes a record as it is.
func (k *records[R]) load(tx *bbolt.Tx, i store.Item) error {
	group, err := k.GroupIn(i.Form)
	if err != nil {
		return refuse(err)
	}
	r := store.Encoded{ID: i.Key, Group: group, Form: i.Form}
	if err := checkKeys(r); err != nil {
		return err
	}
	return k.put(tx, r)
}

// leaveGroup removes the stored record from its group, unless that is next. A
// record that cannot be decoded leaves an entry, which lists skip.
func (k *records[R]) leaveGroup(tx *bbolt.Tx, id, next string) error {
	form := tx.Bucket(k.bucket).Get([]byte(id))
	if k.groups == nil || form == nil {
		return nil
	}
	group, err := k.GroupIn(form)
	if err != nil || group == "" || group == next {
		return nil //nolint:nilerr // see above
	}
	return tx.Bucket(k.groups).Delete([]byte(store.GroupMember(group, id)))
}

// listGroup is List for a page of a group.
func (k *records[R]) listGroup(tx *bbolt.Tx, p store.Page) (list []R, err error) {
	if k.groups == nil {
		return nil, nil
	}
	groups := tx.Bucket(k.groups)
	if groups.Get([]byte(store.GroupsComplete)) == nil {
		return k.ScanGroup(p, func(p store.Page) ([]R, error) { return k.list(tx, p) })
	}
	after, below := p.GroupBounds()
	c := groups.Cursor()
	member, _ := c.Seek([]byte(after))
	if string(member) == after {
		member, _ = c.Next()
	}
	for ; member != nil && len(list) < p.Limit && string(member) < below; member, _ = c.Next() {
		form := tx.Bucket(k.bucket).Get([]byte(p.MemberID(string(member))))
		if form == nil {
			continue
		}
		r, err := k.Unmarshal(form)
		if err != nil {
			return nil, refuse(err)
		}
		if k.Group(&r) == p.Group {
			list = append(list, r)
		}
	}
	return list, nil
}

// indexAtOnce is how many records one step of IndexGroups looks at.
const indexAtOnce = 500

// IndexGroups completes the indexes of groups.
func (s *Store) IndexGroups(ctx context.Context) (added int, err error) {
	customers, err := s.customers.indexGroups(ctx)
	if err != nil {
		return customers, err
	}
	keys, err := s.apiKeys.indexGroups(ctx)
	return customers + keys, err
}

func (k *records[R]) indexGroups(ctx context.Context) (added int, err error) {
	for after := ""; ; {
		page, err := k.List(ctx, store.Page{After: after, Limit: indexAtOnce})
		if err != nil {
			return added, err
		}
		n, err := k.indexPage(ctx, page)
		added += n
		if err != nil {
			return added, err
		}
		if len(page) < indexAtOnce {
			break
		}
		after = k.ID(&page[len(page)-1])
	}
	return added, k.s.write(ctx, "index "+k.Name+"s", func(b *batch) error {
		if b.tx.Bucket(k.groups).Get([]byte(store.GroupsComplete)) != nil {
			return errUnchanged
		}
		return b.tx.Bucket(k.groups).Put([]byte(store.GroupsComplete), inGroup)
	})
}

// indexPage puts the records that the index of groups lacks into it.
func (k *records[R]) indexPage(ctx context.Context, page []R) (added int, err error) {
	missing, err := k.missing(ctx, page)
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	return len(missing), k.s.write(ctx, "index "+k.Name+"s", func(b *batch) error {
		for _, id := range missing {
			form := b.tx.Bucket(k.bucket).Get([]byte(id))
			group, err := k.GroupIn(form)
			if form == nil || err != nil || group == "" {
				continue // it was deleted meanwhile, or replaced by what nobody can list
			}
			if err := b.tx.Bucket(k.groups).Put([]byte(store.GroupMember(group, id)), inGroup); err != nil {
				return err
			}
		}
		return nil
	})
}

// missing returns the ids of the records that the index of groups lacks.
func (k *records[R]) missing(ctx context.Context, page []R) (ids []string, err error) {
	err = k.s.view(ctx, "index "+k.Name+"s", func(tx *bbolt.Tx) error {
		for i := range page {
			group, id := k.Group(&page[i]), k.ID(&page[i])
			if group != "" && tx.Bucket(k.groups).Get([]byte(store.GroupMember(group, id))) == nil {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}
