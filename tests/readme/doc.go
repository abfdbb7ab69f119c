// Package readme runs the commands of the README, and of the sections of the
// guides that walk a reader through something, in the order in which they are
// typed. It compares what they print with what the page says.
//
// How a block is read:
//   - sh blocks run in one shell: those of the README in a copy of the source
//     tree, those of a section in a folder that holds ./grantd.
//   - Lines of an sh block that start a server (go run … . dev, go run … ./api, ./grantd serve, ./grantd edge,
//     redis-server) stay in the background; the next thing happens once they
//     are ready.
//   - A text or json block that follows says what the block before printed;
//     json is compared as JSON. A paragraph with the word "paste" pastes the
//     lines that the last server printed; the json blocks after it are among
//     the responses, in order.
//   - A go block is saved as the file that the paragraph before it names.
//   - "…" means anything, a line of it for any lines, a JSON member of
//     that name for any further members; a time in RFC 3339 or as Unix seconds
//     means any such time.
//   - A paragraph with "Ctrl-C" outside a block stops all servers.
//   - Indented commands are make targets; CI runs those.
//
// Ports are free ones in place of those that the page names.
package readme
