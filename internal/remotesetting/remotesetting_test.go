package remotesetting

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func yes() *bool { v := true; return &v }

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "overrides.toml")
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("# of the year\nAuthorization=Bearer very-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := Settings{Accept: true, Timeout: 5 * time.Second, Retries: 3, ExecJobs: 16, Fallback: true}
	with := func(f func(*Settings)) Settings { s := base; f(&s); return s }
	bearer := []Header{{"authorization", "Bearer very-secret"}}
	for name, c := range map[string]struct {
		mode  string
		env   map[string]string
		table *Table
		want  Settings
		err   string
	}{
		"nothing": {want: base},
		"a table": {table: &Table{Cache: "grpcs://a:1", TLSCertificate: "ca.pem", Header: []string{"@token"}, UploadLocalResults: yes(), Timeout: 9},
			want: with(func(s *Settings) {
				s.Cache, s.TLSCertificate, s.Headers, s.Upload, s.Timeout = "grpcs://a:1", filepath.Join(dir, "ca.pem"), bearer, true, 9*time.Second
			})},
		"variables come first": {env: map[string]string{"REDOX_REMOTE_CACHE": "grpc://b:2", "REDOX_REMOTE_UPLOAD_LOCAL_RESULTS": "0", "REDOX_REMOTE_RETRIES": "0", "REDOX_REMOTE_HEADER": "x=1\n@" + token},
			table: &Table{Cache: "grpcs://a:1", Header: []string{"y=2"}, UploadLocalResults: yes()},
			want: with(func(s *Settings) {
				s.Cache, s.Retries, s.Headers = "grpc://b:2", 0, append([]Header{{"x", "1"}}, bearer...)
			})},
		"off":      {mode: "off", table: &Table{Cache: "grpcs://a:1"}},
		"readonly": {mode: "readonly", table: &Table{Cache: "a:1", UploadLocalResults: yes()}, want: with(func(s *Settings) { s.Cache = "a:1" })},
		"workers": {table: &Table{Executor: "a:1", ExecProperties: []string{"b=2=3", "a=1"}, ExecJobs: 5},
			want: with(func(s *Settings) {
				s.Cache, s.Executor, s.ExecJobs, s.Properties = "a:1", "a:1", 5, []Property{{"a", "1"}, {"b", "2=3"}}
			})},
		"workers and a cache": {env: map[string]string{"REDOX_REMOTE_EXECUTOR": "a:1", "REDOX_REMOTE_CACHE": "b:1", "REDOX_REMOTE_EXEC_PROPERTIES": "x=y\n", "REDOX_REMOTE_LOCAL_FALLBACK": "0"},
			want: with(func(s *Settings) {
				s.Cache, s.Executor, s.Fallback, s.Properties = "b:1", "a:1", false, []Property{{"x", "y"}}
			})},
		"readonly has no workers": {mode: "readonly", table: &Table{Executor: "a:1"}, want: with(func(s *Settings) { s.Cache = "a:1" })},
		"no property":             {table: &Table{ExecProperties: []string{"gcc"}}, err: `exec-properties, line 1 is "gcc", not NAME=VALUE`},
		"on without any":          {mode: "on", err: "-remote=on wants a server"},
		"another mode":            {mode: "maybe", err: `-remote is "maybe", not one of on, off, readonly`},
		"not a boolean":           {env: map[string]string{"REDOX_REMOTE_ACCEPT_CACHED": "ja"}, err: `REDOX_REMOTE_ACCEPT_CACHED is "ja", not 0 or 1`},
		"not a number":            {env: map[string]string{"REDOX_REMOTE_TIMEOUT": "soon"}, err: "REDOX_REMOTE_TIMEOUT wants a number"},
		"a negative number":       {table: &Table{Timeout: -1}, err: "overrides.toml: [remote] wants a number"},
		"no header":               {env: map[string]string{"REDOX_REMOTE_HEADER": "x=1\nvery-secret"}, err: "REDOX_REMOTE_HEADER, line 2 is not NAME=VALUE"},
		"a header of gRPC":        {table: &Table{Header: []string{"grpc-timeout=1"}}, err: "overrides.toml: [remote] header, line 1 is not"},
		"no file":                 {table: &Table{Header: []string{"@nothing"}}, err: "nothing: no such file"},
	} {
		got, err := Resolve(c.mode, c.env, c.table, file)
		switch {
		case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		case err != nil && strings.Contains(err.Error(), "very-secret"):
			t.Errorf("%s: the secret is in %v", name, err)
		case err == nil:
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}
