// Package secretscan tests the rules of deploy/secret-scanning.toml with gitleaks: they
// find credentials that grantd makes, nothing that only looks like one, and nothing in
// this repository.
package secretscan
