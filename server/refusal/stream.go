package refusal

// Causes of a refused stream of revocations.
const (
	StreamsOfReplica Cause = "streams_of_replica"
	StreamsOfClient  Cause = "streams_of_client"
	StreamRate       Cause = "stream_rate"
)

var streamReasons = map[Cause]Reason{
	StreamsOfReplica: {
		"this replica has as many streams of revocations as stream.max_readers allows",
		"add replicas, or raise the limit: each stream takes some 40 KiB",
	},
	StreamsOfClient: {
		"the client has as many streams of revocations on this replica as stream.max_readers_per_client allows",
		"find out why: each process of a resource server needs one, and a second one for a moment; or raise the limit",
	},
	StreamRate: {
		"the client opens streams of revocations in a loop",
		"look at the log of the resource server: a proxy may cut streams, and each one must wait as retry or Retry-After says before the next",
	},
}
