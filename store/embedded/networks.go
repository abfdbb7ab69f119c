package embedded

import (
	"context"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// AddNetworks adds to the client's networks. Those of a client that is gone are
// dropped.
func (s *Store) AddNetworks(ctx context.Context, clientID string, added ...string) error {
	added = slices.Clone(added) // the caller may leave, and change it, before the write runs
	return s.write(ctx, "add networks", func(b *batch) error {
		if b.tx.Bucket(bucketClients).Get([]byte(clientID)) == nil {
			return errUnchanged
		}
		merged := store.MergeNetworks(networksOf(b.tx, clientID), added)
		return b.tx.Bucket(bucketNetworks).Put([]byte(clientID), []byte(strings.Join(merged, " ")))
	})
}

// ListNetworks returns the client's networks.
func (s *Store) ListNetworks(ctx context.Context, clientID string) (list []string, err error) {
	err = s.view(ctx, "list networks", func(tx *bbolt.Tx) error {
		list = networksOf(tx, clientID)
		return nil
	})
	return list, err
}

func networksOf(tx *bbolt.Tx, clientID string) []string {
	return strings.Fields(string(tx.Bucket(bucketNetworks).Get([]byte(clientID))))
}

// deleteNetworks removes the networks of the owner of uses, if it is a client.
func deleteNetworks(tx *bbolt.Tx, owner string) error {
	kind, id := store.OwnerOf(owner)
	if kind != store.OwnerClient {
		return nil
	}
	return tx.Bucket(bucketNetworks).Delete([]byte(id))
}
