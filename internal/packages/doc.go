// Package packages is what a checkout has to do with packages: which repositories are asked, the client with the session's
// settings, and an installed system as a folder.
//
// It owns packages.toml, whose keys are trusted when they are first seen, and the hints about packages. It must not know the
// formats (packages pkgar and pkgrepo) nor what targets print beside them.
package packages
