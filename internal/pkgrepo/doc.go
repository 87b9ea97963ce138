// Package pkgrepo is the client of package repositories in the layout of static.redox-os.org/pkg, and writes such repositories.
//
// It owns names and descriptions of packages, which repository a package comes from, the pinned keys of repositories, downloads
// and their cache, and the state file of installed packages. What is inside an archive is internal/pkgar's business. It must not
// know about recipes, images or the build engine; it reads no environment, prints nothing and keeps no global state. Network and
// clock come from the caller.
//
// # Layout
//
//	<url>/id_ed25519.pub.toml      key of the repository
//	<url>/<target>/repo.toml       [packages] NAME = "<hash>", [outdated_packages.NAME]
//	<url>/<target>/NAME.toml       description
//	<url>/<target>/NAME.pkgar      archive; none for a metapackage, which has no version
//
// The hash in both TOML files is the BLAKE3 of the archive's entry table, not of the file. NAME may have a prefix "host:" or
// "target:" and one suffix ".OPTION".
//
// # Trust
//
// A repository's key is pinned when it is first seen, and from then on another key is refused until the pin is removed by hand.
// Every archive has to be signed by the pinned key and to have the entry table that its description names; only then does it get
// into the cache. The descriptions themselves are not signed in this layout: whoever controls the server, or the path to it
// without https, can withhold packages, or offer an older archive that the key's owner signed.
//
// Source of the layout: the crate redox-pkg 0.3.3, its documentation and behaviour, checked in both directions.
package pkgrepo
