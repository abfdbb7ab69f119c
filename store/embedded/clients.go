package embedded

import (
	"bytes"
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// CreateClient writes a new client. Errors: store.ErrExists.
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	c.Version = max(c.Version, 1)
	record, err := store.MarshalClient(c)
	if err != nil {
		return err
	}
	return s.write(ctx, "create client", func(b *batch) error {
		id := []byte(c.ID)
		switch {
		case len(id) == 0 || len(id) > bbolt.MaxKeySize:
			return refuse(errors.New("client id is empty or too long"))
		case clients(b.tx).Get(id) != nil:
			return refuse(store.ErrExists)
		}
		return clients(b.tx).Put(id, record)
	})
}

// GetClient answers a client. Errors: store.ErrNotFound,
// store.ErrUnknownRecord.
func (s *Store) GetClient(ctx context.Context, id string) (store.Client, error) {
	var c store.Client
	err := s.view(ctx, "get client", func(tx *bbolt.Tx) error {
		var err error
		c, err = s.clientOf(tx, id)
		return err
	})
	return c, err
}

// UpdateClient replaces a client if its version is c.Version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) UpdateClient(ctx context.Context, c store.Client) error {
	read := c.Version
	c.Version++
	record, err := store.MarshalClient(c)
	if err != nil {
		return err
	}
	return s.write(ctx, "update client", func(b *batch) error {
		if err := s.checkVersion(b.tx, c.ID, read); err != nil {
			return err
		}
		return clients(b.tx).Put([]byte(c.ID), record)
	})
}

// DeleteClient removes a client with its secret uses if its version is
// version. Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) DeleteClient(ctx context.Context, id string, version uint64) error {
	return s.write(ctx, "delete client", func(b *batch) error {
		if err := s.checkVersion(b.tx, id, version); err != nil {
			return err
		}
		if err := deleteUses(b.tx, id); err != nil {
			return err
		}
		return clients(b.tx).Delete([]byte(id))
	})
}

// ListClients answers up to limit clients with an id after the given one.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	var list []store.Client
	err := s.view(ctx, "list clients", func(tx *bbolt.Tx) error {
		c := clients(tx).Cursor()
		k, v := c.Seek([]byte(after))
		if bytes.Equal(k, []byte(after)) {
			k, v = c.Next()
		}
		for ; k != nil && len(list) < limit; k, v = c.Next() {
			client, err := store.UnmarshalClient(v)
			if err != nil {
				return refuse(err)
			}
			list = append(list, client)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s *Store) clientOf(tx *bbolt.Tx, id string) (store.Client, error) {
	record := clients(tx).Get([]byte(id))
	if record == nil {
		return store.Client{}, refuse(store.ErrNotFound)
	}
	c, err := s.decoded.Decode(id, string(record))
	if err != nil {
		return store.Client{}, refuse(err)
	}
	return c, nil
}

func (s *Store) checkVersion(tx *bbolt.Tx, id string, version uint64) error {
	c, err := s.clientOf(tx, id)
	if err != nil {
		return err
	}
	if c.Version != version {
		return refuse(store.ErrConflict)
	}
	return nil
}
