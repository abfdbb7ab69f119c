package senders

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/grantd/grantd/server/phone"
)

// Log shows codes, in sandbox, on the terminal of `grantd dev`. It never writes
// them to the log.
type Log struct {
	mu       sync.Mutex // one line at a time
	terminal io.Writer
	log      *slog.Logger
}

var _ Sender = (*Log)(nil)

// NewLog returns a Log. Without a terminal (nil) it shows no codes, and logs each
// time what to do instead.
func NewLog(terminal io.Writer, log *slog.Logger) *Log {
	return &Log{terminal: terminal, log: log}
}

// Send writes the code on one line.
func (l *Log) Send(ctx context.Context, m Message) error {
	if l.terminal == nil {
		l.log.WarnContext(ctx, "customers: a code is not shown, because customers.sender is log: "+
			"set customers.sandbox_code, use grantd dev, or choose webhook or twilio",
			"org_id", m.OrgID, "customer_id", m.CustomerID)
		return nil
	}
	line := fmt.Sprintf("verification code %s for %s (%s, customer %s of org %s)\n",
		m.Code, phone.Mask(m.Phone), m.Channel, m.CustomerID, m.OrgID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := io.WriteString(l.terminal, line); err != nil {
		return fmt.Errorf("%w: log: the terminal cannot be written to", ErrNotSent)
	}
	return nil
}
