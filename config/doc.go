// Package config owns grantd's settings: the type that holds them, their
// defaults, the three places they are read from (flags over environment over
// file over defaults) and the rules they must obey.
//
// It does not act on a setting: it opens no listener, no store and, apart from
// the configuration file itself and ReadSecretFile, no file. A Config holds no
// secrets, only the paths of the files that do, so it may be printed.
//
// Start at Config for the shape, Defaults for the values, Load for reading and
// Config.Validate for the rules. A new key is a field with a `key` tag, a line
// in defaults.go, one in comments.go and, where not every value will do, a rule.
//
// This is the only package that imports viper, which merges the layers. The
// layers reach it parsed and typed, because viper alone would take 3600 for a
// duration of 3.6 µs, let GRANTD_TOKEN blank a section and stop at the first
// fault.
package config
