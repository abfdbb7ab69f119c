package server

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/stream"
)

// wireStream makes the stream of revocations. The feed and oauth must have been made.
func (s *Server) wireStream() {
	s.streams = stream.New(stream.Options{
		Feed: s.feed, VoidKeys: &s.voidKeys, Recheck: s.recheckReader, Now: s.now,
		Limits:  stream.Limits{Readers: s.maxReaders(), PerClient: s.cfg.Stream.MaxReadersPerClient},
		Observe: s.metrics.NewStream(texts(stream.ResetReasons), texts(stream.Ends), stream.Refusals),
	})
}

// texts returns the words as strings.
func texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// authenticateReader returns the resource server that wants to read.
func (s *Server) authenticateReader(c *gin.Context) (stream.Caller, error) {
	f, err := s.oauth.Follower(c)
	if err != nil {
		return stream.Caller{}, err
	}
	return stream.Caller{Client: f.Client, SecretID: f.Proof.SecretID, Method: f.Proof.Method, Token: f.Token, Digest: f.Digest}, nil
}

// recheckReader returns what the credential of a reader is worth now.
func (s *Server) recheckReader(ctx context.Context, c *stream.Caller) (stream.Standing, error) {
	f := oauth.Follower{Client: c.Client, Token: c.Token, Digest: c.Digest}
	f.Proof.ClientID, f.Proof.SecretID, f.Proof.Method = c.Client.ID, c.SecretID, c.Method
	client, ends, err := s.oauth.Recheck(ctx, f)
	return stream.Standing{Client: client, Ends: ends}, err
}

// startStream starts the stream of revocations, and ends its readers before the
// listeners wait for them.
func (s *Server) startStream() {
	s.streams.Start()
	s.onStop("streams", s.streams.Stop)
}
