package store

import "sync"

// maxMemo bounds a ClientMemo, in records.
const maxMemo = 1024

// ClientMemo remembers decoded client records. Someone who guesses secrets
// causes the same record to be read for each guess, and decoding it is the
// largest cost of that. A record that differs in one byte is decoded again. The
// zero value is ready to use. It is safe for concurrent use.
type ClientMemo struct {
	mu    sync.Mutex
	known map[string]decodedClient // by id
}

type decodedClient struct {
	record string
	client Client
}

// Decode is ClientKind.Unmarshal for the record with the id. The caller may
// change the client.
func (m *ClientMemo) Decode(id, record string) (Client, error) {
	m.mu.Lock()
	d, ok := m.known[id]
	m.mu.Unlock()
	if ok && d.record == record {
		return d.client.Clone(), nil
	}
	c, err := ClientKind.Unmarshal([]byte(record))
	if err != nil {
		return Client{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxMemo {
		m.known = map[string]decodedClient{}
	}
	m.known[c.ID] = decodedClient{record, c.Clone()}
	return c, nil
}
