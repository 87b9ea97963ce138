// Package hostpackage knows which package of this machine's system brings what the targets need, and the command that
// installs it.
//
// It owns the names of the packages and how a system is told. It must not know what is missing, nor install anything.
//
// Names are those of Debian 13, Fedora 42 and Homebrew in 2026.
package hostpackage

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// Family is the systems with one package manager.
type Family string

// The families whose package names are known.
const (
	Debian Family = "debian"
	Fedora Family = "fedora"
	Brew   Family = "brew"
	// Unknown systems are told all three.
	Unknown Family = ""
)

// Here is the family of this machine.
func Here() Family { return Identify(runtime.GOOS, os.DirFS("/")) }

// Identify tells the family from GOOS and the file etc/os-release (os-release(5)) in root.
func Identify(goos string, root fs.FS) Family {
	if goos == "darwin" {
		return Brew
	}
	text, err := fs.ReadFile(root, "etc/os-release")
	if err != nil {
		return Unknown
	}
	for _, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key != "ID" && key != "ID_LIKE" {
			continue
		}
		for _, word := range strings.Fields(strings.Trim(value, `"'`)) {
			switch word {
			case "debian", "ubuntu":
				return Debian
			case "fedora", "rhel", "centos":
				return Fedora
			}
		}
	}
	return Unknown
}

// Package brings one thing on each family. A Brew that begins with "!" is a whole command: some of it
// comes with the system.
type Package struct{ Debian, Fedora, Brew string }

// appleTools are Apple's command line tools: cc, c++ and git.
const appleTools = "!xcode-select --install"

// What the targets need, wherever it is missed.
var (
	Git   = Package{"git", "git", appleTools}
	Go    = Package{"golang-go", "golang", "go"}
	CC    = Package{"gcc libc6-dev", "gcc", appleTools}
	CXX   = Package{"g++", "gcc-c++", appleTools}
	Clang = Package{"clang lld", "clang lld", "llvm lld"}
	// Bubblewrap is for Linux alone.
	Bubblewrap = Package{"bubblewrap", "bubblewrap", "!nothing"}
)

// QEMU is the emulator of an architecture ("aarch64", "x86_64").
func QEMU(arch string) Package {
	if arch == "x86_64" {
		return Package{"qemu-system-x86", "qemu-system-x86", "qemu"}
	}
	return Package{"qemu-system-arm", "qemu-system-aarch64", "qemu"}
}

// Firmware is the UEFI firmware for guests of an architecture. Homebrew's comes with QEMU.
func Firmware(arch string) Package {
	if arch == "x86_64" {
		return Package{"ovmf", "edk2-ovmf", "qemu"}
	}
	return Package{"qemu-efi-aarch64", "edk2-aarch64", "qemu"}
}

// Install is the command for a family.
func (p Package) Install(family Family) string {
	apt, dnf, brew := "sudo apt install "+p.Debian, "sudo dnf install "+p.Fedora, "brew install "+p.Brew
	if command, whole := strings.CutPrefix(p.Brew, "!"); whole {
		brew = command
	}
	switch family {
	case Debian:
		return apt
	case Fedora:
		return dnf
	case Brew:
		return brew
	}
	return fmt.Sprintf("%s (Debian, Ubuntu), %s (Fedora) or %s (macOS)", apt, dnf, brew)
}
