// Package environ names the environment variables that are understood.
//
// It owns their names and what is said of them. It must not know what becomes of their values: package config reads them. It is a package
// of its own, with no others below it, because the front tells of them, and whatever that imports delays every start.
package environ

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultTarget is the user-space target that is built when nothing else is asked for.
const DefaultTarget = "aarch64-unknown-redox-clif"

// SourcePrefix starts the variables that replace the source of one recipe by a folder.
const SourcePrefix = "REDOX_SOURCE_"

// Names of the variables of a remote cache; package remotesetting has what they mean.
const (
	RemotePrefix               = "REDOX_REMOTE_"
	RemoteCache                = RemotePrefix + "CACHE"
	RemoteInstanceName         = RemotePrefix + "INSTANCE_NAME"
	RemoteHeader               = RemotePrefix + "HEADER"
	RemoteTLSCertificate       = RemotePrefix + "TLS_CERTIFICATE"
	RemoteTLSClientCertificate = RemotePrefix + "TLS_CLIENT_CERTIFICATE"
	RemoteTLSClientKey         = RemotePrefix + "TLS_CLIENT_KEY"
	RemoteUploadLocalResults   = RemotePrefix + "UPLOAD_LOCAL_RESULTS"
	RemoteAcceptCached         = RemotePrefix + "ACCEPT_CACHED"
	RemoteTimeout              = RemotePrefix + "TIMEOUT"
	RemoteRetries              = RemotePrefix + "RETRIES"
	RemoteCacheCompression     = RemotePrefix + "CACHE_COMPRESSION"
	RemoteExecutor             = RemotePrefix + "EXECUTOR"
	RemoteExecProperties       = RemotePrefix + "EXEC_PROPERTIES"
	RemoteExecJobs             = RemotePrefix + "EXEC_JOBS"
	RemoteLocalFallback        = RemotePrefix + "LOCAL_FALLBACK"
)

// Variable is an environment variable that is read.
type Variable struct {
	Name string
	// Value is what it is set to, for people: "DIR". Empty for the variables of others.
	Value string
	// Flag of targets does the same and comes before it: "-j". Empty where there is none.
	Flag string
	// Meaning is a sentence without its full stop, Default what holds without the variable; "" where nothing special does.
	Meaning, Default string
}

// Variables are the project's own, but for those that begin with REDOX_SOURCE_ or REDOX_TEST_.
func Variables() []Variable {
	return []Variable{
		{"REDOX_TOOLCHAIN", "DIR|NAME", "", "a toolchain to use in place of the pinned rustup toolchain: a directory (with a slash) or the name of one that toolchain:build made", ""},
		{"REDOX_CACHE", "DIR", "", "where results and downloads are kept", "redox-clif in the user's cache folder"},
		{"REDOX_TARGET", "NAME", "", "user-space target, a file in targets/ without .toml", DefaultTarget},
		{"REDOX_SET", "NAME", "-set", "release set: pin, sources and patches of one date", "the active one, that of toolchain/toolchain.toml"},
		{"REDOX_OFFLINE", "1", "-offline", "1 forbids the network", ""},
		{"REDOX_JOBS", "N", "-j", "processes at once, over all steps", "the number of processors"},
		{"REDOX_MEMORY", "MIB", "-memory", "memory for steps that run at once, in MiB", "three quarters of the machine's"},
		{"REDOX_DEBUG_INFO", "1", "", "1 compiles programs and kernels with debug information, for `mage symbolise`; it is not in images", "0"},
		{"REDOX_KEEP_GOING", "1", "-k", "1 builds on after a failure and lists all of them", ""},
		{"REDOX_BACKEND", "LIST", "-backend", "backends over the recipes' own, like llvm:init,cranelift:*", ""},
		{"REDOX_STD", "MODE", "-std", "standard library over the recipes' own: shared (prepared once) or build-std (by every cargo)", ""},
		{"REDOX_SANDBOX", "MODE", "", "require makes it an error that no sandbox works here, off runs steps without one", "auto: it is said once"},
		{"REDOX_OVERRIDES", "FILE", "", "overrides file", "overrides.toml in the checkout"},
		{RemoteCache, "ADDRESS", "", "a remote cache: grpc://HOST:PORT, grpcs://HOST:PORT (TLS) or unix:PATH", "none"},
		{RemoteInstanceName, "NAME", "", "the instance on the server", ""},
		{RemoteHeader, "LINES", "", "headers of every call, one NAME=VALUE a line; @FILE reads a file", ""},
		{RemoteTLSCertificate, "FILE", "", "certificates that are trusted, in PEM form", "the system's"},
		{RemoteTLSClientCertificate, "FILE", "", "the certificate that this machine shows, in PEM form", ""},
		{RemoteTLSClientKey, "FILE", "", "the key of that certificate", ""},
		{RemoteUploadLocalResults, "1", "", "1 offers what is built here to the remote cache", "0"},
		{RemoteAcceptCached, "0", "", "0 takes nothing from the remote cache", "1"},
		{RemoteTimeout, "SECONDS", "", "what a call to the remote cache may take, and one second more for each MiB", "5"},
		{RemoteRetries, "N", "", "how often such a call is tried again that failed for the moment", "3"},
		{RemoteCacheCompression, "1", "", "1 moves large files as zstd where the server can", "0"},
		{RemoteExecutor, "ADDRESS", "", "a server whose workers run steps; it is the remote cache as well where none is named", "none"},
		{RemoteExecProperties, "LINES", "", "what a worker must be, one NAME=VALUE a line", ""},
		{RemoteExecJobs, "N", "", "steps that workers run at once", "16"},
		{RemoteLocalFallback, "0", "", "0 makes it an error that no worker runs a step, in place of running it here", "1"},
		{"REDOX_REMOTE", "MODE", "-remote", "on wants a remote cache, off uses none, readonly uploads nothing", "as it is set"},
	}
}

// Standard are the variables of others that are heeded.
func Standard() []Variable {
	all := []Variable{
		{Name: "PATH", Meaning: "where rustup, git, QEMU and the host's C compiler are looked for"},
		{Name: "HOME", Meaning: "the user's folder"},
		{Name: "CARGO_HOME", Meaning: "cargo's folder, read for the settings of its registries and never written", Default: "~/.cargo"},
		{Name: "RUSTUP_HOME", Meaning: "rustup's folder, with the toolchains that it installed", Default: "~/.rustup"},
		{Name: "XDG_CACHE_HOME", Meaning: "the user's cache folder", Default: "~/.cache"},
		{Name: "XDG_CONFIG_HOME", Meaning: "where git finds the user's settings, for what fetches", Default: "~/.config"},
		{Name: "TERM", Meaning: "dumb is a terminal that cannot move its cursor: plain lines in place of a status that changes"},
		{Name: "NO_COLOR", Meaning: "anything but nothing shows what tools say without colours"},
		{Name: "GITHUB_ACTIONS", Meaning: "true adds annotations for a workflow to errors, and groups the output of steps"},
		{Name: "GITHUB_STEP_SUMMARY", Meaning: "a file that `mage report` adds its short form to"},
	}
	for _, name := range Network() {
		all = append(all, Variable{Name: name, Meaning: "reaches what downloads, and nothing else"})
	}
	for _, name := range Transports() {
		all = append(all, Variable{Name: name, Meaning: "reaches the git that fetches, and nothing else"})
	}
	for _, name := range Display() {
		all = append(all, Variable{Name: name, Meaning: "reaches QEMU, for its window"})
	}
	return all
}

// Network are the variables that decide how something is downloaded, never what.
func Network() []string {
	return []string{
		"http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "CARGO_HTTP_CAINFO", "CARGO_HTTP_PROXY", "SSH_AUTH_SOCK",
		"RUSTUP_DIST_SERVER", "RUSTUP_UPDATE_ROOT",
	}
}

// Transports decide how git fetches: by which ssh, with which credentials, by which configuration. One that ends in
// "*" stands for all that begin so.
func Transports() []string {
	return []string{
		"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE",
		"GIT_CONFIG_*", "GIT_SSL_*", "GIT_PROXY_*", "GIT_HTTP_*", "GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER", "GIT_NO_LAZY_FETCH",
		"GIT_EXEC_PATH", "GIT_TRACE*", "GIT_CURL_VERBOSE", "KRB5CCNAME", "KRB5_CONFIG",
	}
}

// Display are the variables that lead to the user's screen.
func Display() []string {
	return []string{"DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"}
}

// Renamed are variables that have another name now, by the old one. Flags of the same name have changed with them.
func Renamed() map[string]string { return map[string]string{"REDOX_PROFILE": "REDOX_SET"} }

// Known tells whether a variable is one of the project's own.
func Known(name string) bool {
	return strings.HasPrefix(name, SourcePrefix) || slices.ContainsFunc(Variables(), func(v Variable) bool { return v.Name == name })
}

// Line is what help says of a variable.
func (v Variable) Line() string {
	if v.Default == "" {
		return v.Meaning
	}
	return v.Meaning + " (default: " + v.Default + ")"
}

// Sources stands in help for the variables that begin with SourcePrefix.
func Sources() Variable {
	return Variable{Name: SourcePrefix + "<NAME>", Value: "DIR", Meaning: "a folder to take in place of the source of recipe NAME (upper case, - and . as _)"}
}

// Help lists the project's own variables, one line each.
func Help() string {
	var b strings.Builder
	for _, v := range append(Variables(), Sources()) {
		fmt.Fprintf(&b, "  %-18s %s\n", v.Name, v.Line())
	}
	return b.String()
}
