// Package limits_test tells what grantd does with too much: failed client
// authentication (rfc-cases A39, A40, E08, I23), too many tokens, large
// headers and bodies, and what a caller may learn from the time that a
// refusal takes (A11, A52, I34).
package limits_test
