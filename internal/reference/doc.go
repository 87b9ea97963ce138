// Package reference writes what is known of the project's own TOML files and environment variables where people and editors look for
// it: docs/reference, a page for each kind of file; docs/schemas, a JSON Schema for each; .taplo.toml, which schema is for which file.
//
// It owns the list of the kinds of file, how stable each is, and the form of what is written. It must not know what a key means:
// keys, types and what has to be there come from the struct that package tomlfile decodes a file into, the words from the comments on
// its fields. A key without a comment is an error.
//
// .taplo.toml has the schemas by path, so that a file needs no line that names its schema, and a new one that a command writes has
// one from the beginning.
package reference

//go:generate go run ./generate ../..
