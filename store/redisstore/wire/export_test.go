package wire

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
