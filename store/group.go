package store

// grouped is a record that belongs to a group, such as the customers of an org.
// The group of an id never changes while its record lives.
type grouped interface{ group() string }

// group returns the customer's org.
func (c *Customer) group() string { return c.OrgID }

// group returns the key's org.
func (k *APIKey) group() string { return k.OrgID }

// Grouped reports whether records of this kind belong to groups.
func (Kind[R]) Grouped() bool {
	_, ok := any((*R)(nil)).(grouped)
	return ok
}

// Group returns the group that r belongs to; "": none.
func (Kind[R]) Group(r *R) string {
	if g, ok := any(r).(grouped); ok {
		return g.group()
	}
	return ""
}

// GroupIn returns the group of the record in a stored form. It decodes only kinds
// that have groups. Errors: ErrUnknownRecord.
func (k Kind[R]) GroupIn(form []byte) (string, error) {
	if !k.Grouped() {
		return "", nil
	}
	r, err := k.Unmarshal(form)
	if err != nil {
		return "", err
	}
	return k.Group(&r), nil
}

// groupEnd is between the group and the id in a member of an index. Neither
// contains it.
const groupEnd = "\x00"

// GroupMember returns the member that an index of groups has for a record: in the
// order of members, the records of one group are together, by id.
func GroupMember(group, id string) string { return group + groupEnd + id }

// GroupsComplete is the member of an index of groups that says that it lacks no
// record. It comes before those of all groups.
const GroupsComplete = groupEnd

// GroupBounds returns the members that bound the page of a group: its members are
// greater than after and less than below.
func (p Page) GroupBounds() (after, below string) {
	return GroupMember(p.Group, p.After), p.Group + "\x01" // the character after groupEnd
}

// MemberID returns the id in a member of the page's group.
func (p Page) MemberID(member string) string { return member[len(p.Group)+len(groupEnd):] }

// ScanGroup returns the page of a group without the index of groups: it reads all
// records after p.After with list, until it has enough that belong.
func (k Kind[R]) ScanGroup(p Page, list func(Page) ([]R, error)) ([]R, error) {
	const atOnce = 500
	var found []R
	for after := p.After; len(found) < p.Limit; {
		page, err := list(Page{After: after, Limit: atOnce})
		if err != nil {
			return nil, err
		}
		for i := range page {
			if k.Group(&page[i]) != p.Group {
				continue
			}
			if found = append(found, page[i]); len(found) == p.Limit {
				break
			}
		}
		if len(page) < atOnce {
			break
		}
		after = k.ID(&page[len(page)-1])
	}
	return found, nil
}
