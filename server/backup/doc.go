// Package backup copies whole stores: into a file, from a file into an empty store,
// and from one store to another. It also checks what a store keeps, and gives a
// store another issuer. It knows the form of the file, and what of an item depends
// on the store that it was in: positions in the feed. It opens no store.
//
// A file is JSON, one value on each line: a header, entries of the feed, items, and
// an end with the number of items and the SHA-256 of all lines before it. A file
// without a correct end is refused as a whole.
package backup
