package scopes

import "time"

// Bounds of an access token's life. The feed keeps its entries for longer than
// MaxTokenLife (store.FeedRetention), so that no token outlives its revocation.
const (
	MinTokenLife = time.Minute
	MaxTokenLife = 24 * time.Hour
)
