// Package readme runs the commands of the README in the order in which a
// reader types them, and compares what they print with what it says.
//
// How a block is read:
//   - sh blocks run in one shell, in a copy of the source tree.
//   - Lines of a sh block that start a server (go run . dev, ./grantd serve,
//     redis-server) stay in the background; the next thing happens once they
//     are ready.
//   - A text or json block that follows says what the block before printed;
//     json is compared as JSON. A paragraph with the word "paste" pastes the
//     lines that the last server printed; the json blocks after it are among
//     the answers, in order.
//   - "…" stands for anything, a line of it for any lines; a time in RFC 3339
//     or as Unix seconds stands for any such time.
//   - A paragraph with "Ctrl-C" outside a block ends all servers.
//   - Indented commands are make targets; CI runs those.
//
// Ports are free ones in place of those that the README names.
package readme
