// Package conns bounds what the connections of a listener may cost all together:
// how many there are, how many one network may have, how many requests are in
// progress, and how many connections speak HTTP/2, which carries many requests at
// once. It knows nothing about what a request means.
//
// A network is an IPv4 address or the /64 of an IPv6 address. A caller with many
// connections can use up only the share of its network. When the listener is
// nearly full, idle connections are closed, those of the largest networks first.
// The last few places are for networks that have hardly any connection.
package conns
