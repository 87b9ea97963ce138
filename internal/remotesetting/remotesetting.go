// Package remotesetting is how a user says which server of the Remote Execution API is used: by variables and by a table of
// overrides.toml.
//
// It owns the names of the settings, their checks and which comes first: a variable before the table, the flag -remote before both. It must not
// know how a server is spoken to (package remote does), nor read the environment: it is given the variables.
package remotesetting

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/config/environ"
	"github.com/pannous/redox-clif/internal/errs"
)

// Table is [remote] of overrides.toml. The names are those of Bazel's flags without --remote_.
type Table struct {
	// Cache is the address of a cache: grpc://HOST:PORT, grpcs://HOST:PORT (also without the scheme) or unix:PATH.
	Cache string `toml:"cache"`
	// InstanceName is the name of the instance on the server; most servers have one without a name.
	InstanceName string `toml:"instance-name"`
	// Header has lines like "authorization=Bearer …" that go with every call; "@FILE" reads lines from a file.
	Header []string `toml:"header"`
	// TLSCertificate is a file with the certificates that are trusted, in PEM form, in place of the system's.
	TLSCertificate string `toml:"tls-certificate"`
	// TLSClientCertificate and `tls-client-key` are the files by which this machine shows who it is.
	TLSClientCertificate string `toml:"tls-client-certificate"`
	// TLSClientKey goes with `tls-client-certificate`.
	TLSClientKey string `toml:"tls-client-key"`
	// UploadLocalResults offers what is built here to the server. Who can write to a cache can run code on every machine that reads it.
	UploadLocalResults *bool `toml:"upload-local-results"`
	// AcceptCached takes results from the server; true unless it says otherwise.
	AcceptCached *bool `toml:"accept-cached"`
	// Timeout is how many seconds a call may take, and one more for each MiB that it moves; 5 if it is not said.
	Timeout int `toml:"timeout"`
	// Retries is how often a call is tried again that failed for the moment; 3 if it is not said.
	Retries *int `toml:"retries"`
	// CacheCompression moves large files as zstd where the server can.
	CacheCompression *bool `toml:"cache-compression"`
	// Executor is the address of a server whose workers run steps. Without `cache` it is the cache as well.
	Executor string `toml:"executor"`
	// ExecProperties has lines like "container-image=docker://…" that say what a worker must be; servers refuse those that they do not know.
	ExecProperties []string `toml:"exec-properties"`
	// ExecJobs is how many steps workers run at once; 16 if it is not said.
	ExecJobs int `toml:"exec-jobs"`
	// LocalFallback has a step run here that no worker runs; true unless it says otherwise.
	LocalFallback *bool `toml:"local-fallback"`
}

// Header is one line of a call's metadata; the name is in lower case. The value may be a secret.
type Header struct{ Name, Value string }

// Property is what a worker must be.
type Property struct{ Name, Value string }

// Settings say which server is used, and how. Without an address none is.
type Settings struct {
	Cache, InstanceName                                string
	Headers                                            []Header
	TLSCertificate, TLSClientCertificate, TLSClientKey string
	Upload, Accept, Compress                           bool
	Timeout                                            time.Duration
	Retries                                            int
	// Executor is the address of the server that runs steps, "" for none.
	Executor   string
	Properties []Property
	ExecJobs   int
	Fallback   bool
}

// Modes are the values of -remote.
const (
	// ModeOn uses the server as it is set, and wants one.
	ModeOn = "on"
	// ModeOff uses none.
	ModeOff = "off"
	// ModeReadOnly uploads nothing.
	ModeReadOnly = "readonly"
)

// Modes lists the values of -remote.
func Modes() []string { return []string{ModeOn, ModeOff, ModeReadOnly} }

// Resolve makes the settings of a build. env are the variables by name, file is the overrides file that the table is of: paths in it are
// relative to that. All mistakes are reported at once; no message has the value of a header.
func Resolve(mode string, env map[string]string, table *Table, file string) (Settings, error) {
	r := resolver{env: env, dir: filepath.Dir(file), file: file}
	if table != nil {
		r.table = *table
	}
	s := Settings{
		Cache:                r.text(environ.RemoteCache, r.table.Cache),
		InstanceName:         r.text(environ.RemoteInstanceName, r.table.InstanceName),
		TLSCertificate:       r.path(environ.RemoteTLSCertificate, r.table.TLSCertificate),
		TLSClientCertificate: r.path(environ.RemoteTLSClientCertificate, r.table.TLSClientCertificate),
		TLSClientKey:         r.path(environ.RemoteTLSClientKey, r.table.TLSClientKey),
		Upload:               r.boolean(environ.RemoteUploadLocalResults, r.table.UploadLocalResults, false),
		Accept:               r.boolean(environ.RemoteAcceptCached, r.table.AcceptCached, true),
		Compress:             r.boolean(environ.RemoteCacheCompression, r.table.CacheCompression, false),
		Timeout:              time.Duration(r.number(environ.RemoteTimeout, table != nil && r.table.Timeout != 0, r.table.Timeout, 5)) * time.Second,
	}
	s.Executor = r.text(environ.RemoteExecutor, r.table.Executor)
	s.Fallback = r.boolean(environ.RemoteLocalFallback, r.table.LocalFallback, true)
	s.ExecJobs = r.number(environ.RemoteExecJobs, r.table.ExecJobs != 0, r.table.ExecJobs, 16)
	r.properties(&s)
	if s.Cache == "" {
		s.Cache = s.Executor
	}
	retries := r.table.Retries
	s.Retries = r.number(environ.RemoteRetries, retries != nil, value(retries), 3)
	r.headers(&s)
	switch mode {
	case "":
	case ModeOff:
		s = Settings{}
	case ModeReadOnly:
		s.Upload, s.Executor = false, "" // a worker's inputs are uploaded
		fallthrough
	case ModeOn:
		if s.Cache == "" {
			r.fail("-remote=%s wants a server: %s=grpcs://HOST:PORT, or cache in [remote] of %s", mode, environ.RemoteCache, filepath.Base(file))
		}
	default:
		r.fail("-remote is %q, not one of %s", mode, strings.Join(Modes(), ", "))
	}
	if r.failures != nil {
		r.failures.ErrorFormat = errs.Lines
	}
	return s, r.failures.ErrorOrNil()
}

// resolver collects what is wrong on the way.
type resolver struct {
	env      map[string]string
	table    Table
	dir      string
	file     string
	failures *multierror.Error
}

func (r *resolver) fail(format string, args ...any) {
	r.failures = multierror.Append(r.failures, fmt.Errorf(format, args...))
}

func (r *resolver) text(name, otherwise string) string {
	if v := r.env[name]; v != "" {
		return v
	}
	return otherwise
}

// path is a file: of a variable as the shell means it, of the table relative to the overrides file.
func (r *resolver) path(name, otherwise string) string {
	if v := r.env[name]; v != "" {
		return v
	}
	if otherwise == "" || filepath.IsAbs(otherwise) {
		return otherwise
	}
	return filepath.Join(r.dir, otherwise)
}

func (r *resolver) boolean(name string, table *bool, otherwise bool) bool {
	if v := r.env[name]; v != "" {
		b, err := strconv.ParseBool(v)
		if err != nil {
			r.fail("%s is %q, not 0 or 1", name, v)
		}
		return b
	}
	if table != nil {
		return *table
	}
	return otherwise
}

func (r *resolver) number(name string, inTable bool, table, otherwise int) int {
	n, from := otherwise, ""
	if inTable {
		n, from = table, filepath.Base(r.file)+": [remote]"
	}
	if v := r.env[name]; v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			n = -1
		}
		from = name
	}
	if n < 0 {
		r.fail("%s wants a number, 0 or more", from)
	}
	return n
}

// properties reads the lines of the variable, or those of the table.
func (r *resolver) properties(s *Settings) {
	from, lines := filepath.Base(r.file)+": [remote] exec-properties", r.table.ExecProperties
	if v := r.env[environ.RemoteExecProperties]; v != "" {
		from, lines = environ.RemoteExecProperties, strings.Split(v, "\n")
	}
	for i, line := range lines {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" {
			r.fail("%s, line %d is %q, not NAME=VALUE", from, i+1, line)
			continue
		}
		s.Properties = append(s.Properties, Property{name, value})
	}
	// As the interface wants them.
	slices.SortFunc(s.Properties, func(a, b Property) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
}

// headers reads the lines of the variable, or those of the table.
func (r *resolver) headers(s *Settings) {
	from, lines := filepath.Base(r.file)+": [remote] header", r.table.Header
	dir := r.dir
	if v := r.env[environ.RemoteHeader]; v != "" {
		from, lines, dir = environ.RemoteHeader, strings.Split(v, "\n"), ""
	}
	for i, line := range lines {
		if name, ok := strings.CutPrefix(line, "@"); ok {
			r.headerFile(s, filepath.Join(dir, name), filepath.IsAbs(name), name)
			continue
		}
		r.header(s, fmt.Sprintf("%s, line %d", from, i+1), line)
	}
}

func (r *resolver) headerFile(s *Settings, path string, absolute bool, name string) {
	if absolute {
		path = name
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.fail("headers of the remote cache: %w", err)
		return
	}
	for i, line := range strings.Split(string(text), "\n") {
		r.header(s, fmt.Sprintf("%s:%d", path, i+1), line)
	}
}

var headerName = regexp.MustCompile(`^[0-9a-z_.-]+$`)

// header takes one line; empty ones and those that begin with # are left out. The line is in no message: it may be a secret.
func (r *resolver) header(s *Settings, place, line string) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	name, value, ok := strings.Cut(line, "=")
	name = strings.ToLower(strings.TrimSpace(name))
	if !ok || !headerName.MatchString(name) || strings.HasPrefix(name, "grpc-") {
		r.fail("%s is not NAME=VALUE with the name of a header, as in authorization=Bearer …", place)
		return
	}
	s.Headers = append(s.Headers, Header{name, strings.TrimSpace(value)})
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
