package wire

import "time"

// OldFor is how long Redis counts as older than version 7 after it said so.
const OldFor = oldFor

// Age makes the time since Redis said that it is old longer.
func (c *Client) Age(by time.Duration) { c.oldUntil.Add(-int64(by)) }

// SecondFlightAt is how many commands must wait for a second round trip to
// start.
const SecondFlightAt = secondFlightAt

// Writes returns how many round trips of writes to the one master are under
// way, and how many writes wait for the next.
func (c *Client) Writes() (flights, waiting int) {
	b := &c.lanesOf(c.single()).writes
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flights, len(b.waiting)
}
