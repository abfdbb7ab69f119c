// Package config owns grantd's settings: their type, their defaults, their
// sources and their rules. Flags override the environment, which overrides the
// file, which overrides the defaults.
//
// The package does not act on settings: it opens no listener and no store, and
// reads no files except the configuration and, in ReadSecretFile, a secret. A
// Config contains no secrets, only the paths of their files, so it may be printed.
//
// Start at Config for the settings, Defaults for their values, Load for the
// sources and Config.Validate for the rules. To add a key, add a field with a
// `key` tag, a line in defaults.go, a line in comments.go, and a rule if not all
// values are valid.
//
// Only this package imports viper, which merges the layers. The layers are
// parsed and typed before: viper alone would read 3600 as a duration of 3.6 µs,
// would let GRANTD_TOKEN clear a section and would stop at the first fault.
package config
