// Package drift compares what is derived with what it is derived from: toolchain files, lock files, target specs, patch series,
// generated code, workflows and sysroots.
//
// It owns the kinds of drift ([Kinds]), which sources there are to compare, the form of a finding and of a report, recipes/lock.toml,
// and what follows when the pin changes. It must not know how a source is fetched (that comes through [Sources]) or what a session is,
// and it prints nothing.
//
// To add a kind: a file with its name and its check, and a row in Kinds.
package drift
