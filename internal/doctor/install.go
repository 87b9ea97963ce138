package doctor

import "io/fs"

// Install is the command that brings packages, by their names on Debian, Fedora and Homebrew, for the system whose
// files are in root. A brew that begins with "!" is a whole command.
func Install(goos string, root fs.FS, debian, fedora, brew string) string {
	return packages{debian, fedora, brew}.install(Identify(goos, root))
}
