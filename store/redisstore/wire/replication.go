package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrNotMaster means that the server that replied is a replica.
var ErrNotMaster = errors.New("not a master")

// Place is a place in the stream of writes that a master sends to its replicas.
type Place struct {
	Run     string // the run id of the master: it has another one after a restart
	History string // the id of the stream, which a promoted replica continues
	Offset  int64  // in bytes; it does not grow while there is no replica
}

// Replication is what a master says about its replicas.
type Replication struct {
	Place // of the newest write
	// Before is the stream that this master followed as a replica, up to
	// BeforeUntil bytes; "" if it followed none.
	Before      string
	BeforeUntil int64
	// Acked is how far each replica has come that is online and responds.
	Acked []int64
}

// Has reports whether the number of replicas has everything up to the place.
func (r *Replication) Has(at Place, replicas int) bool {
	for _, offset := range r.Acked {
		if offset >= at.Offset {
			replicas--
		}
	}
	return replicas <= 0
}

// maxLag is how long a replica that counts may have been silent, in seconds. A
// replica responds every second.
const maxLag = 10

// ReplicationReply is the reply of a master in a pipeline.
type ReplicationReply struct{ server, replication *redis.StringCmd }

// AskReplication puts the question into the pipeline.
func AskReplication(ctx context.Context, pipe redis.Pipeliner) ReplicationReply {
	return ReplicationReply{pipe.Info(ctx, "server"), pipe.Info(ctx, "replication")}
}

// ReadReplication asks the node, in one round trip.
func ReadReplication(ctx context.Context, node *redis.Client) (Replication, error) {
	pipe := node.Pipeline()
	reply := AskReplication(ctx, pipe)
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	return reply.Read()
}

// Err returns the error of the commands.
func (r ReplicationReply) Err() error { return cmp.Or(r.server.Err(), r.replication.Err()) }

// Read returns what the master said. It fails for a server that is not a master.
func (r ReplicationReply) Read() (Replication, error) {
	if err := r.Err(); err != nil {
		return Replication{}, withoutArguments(err)
	}
	info := ParseInfo(r.replication.Val())
	run := ParseInfo(r.server.Val())["run_id"]
	if info["role"] != "master" || run == "" {
		if info["role"] == "" {
			return Replication{}, errors.New("the reply does not say whether it came from a master")
		}
		return Replication{}, fmt.Errorf("the reply came from a %q: %w", info["role"], ErrNotMaster)
	}
	x := Replication{
		Place:       Place{run, info["master_replid"], number(info["master_repl_offset"])},
		Before:      info["master_replid2"],
		BeforeUntil: number(info["second_repl_offset"]) - 1,
	}
	if x.BeforeUntil < 0 {
		x.Before = ""
	}
	for name, value := range info {
		if rest, ok := strings.CutPrefix(name, "slave"); ok && isNumber(rest) {
			if offset, ok := ackOf(value); ok {
				x.Acked = append(x.Acked, offset)
			}
		}
	}
	return x, nil
}

// ackOf reads a line such as ip=…,port=6379,state=online,offset=42,lag=0. ok is
// false for a replica that does not count. Before it has acknowledged anything, its
// offset is 0.
func ackOf(line string) (offset int64, ok bool) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	lag, err := strconv.ParseInt(fields["lag"], 10, 64)
	offset = number(fields["offset"])
	return offset, offset > 0 && err == nil && lag <= maxLag && fields["state"] == "online"
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}

// number returns 0 for what is not a number.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// ParseInfo returns the fields of an INFO.
func ParseInfo(text string) map[string]string {
	info := make(map[string]string)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			info[name] = value
		}
	}
	return info
}
