// Package browser has tests in a real browser, Chromium: what a web page of another
// origin may do, with the code of the app guide. It needs chromium, and no network.
package browser
