package remote

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/remote/remotetest"
)

// machine is one with a store and a client.
type machine struct {
	*Client
	t       *testing.T
	store   *cas.Store
	mu      sync.Mutex
	notices []string
}

func newMachine(t *testing.T, server *remotetest.Server, edit ...func(*Config)) *machine {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, store: store}
	config := Config{Address: server.Address, Accept: true, Upload: true, Retries: 1, Instance: server.Faults.Instance, Timeout: 2 * time.Second}
	for _, f := range edit {
		f(&config)
	}
	m.Client, err = New(config, store, func(line string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.notices = append(m.notices, line)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Use(t.Context(), m.Client))
	return m
}

func (m *machine) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.notices, "\n")
}

// noise is text that does not get shorter, from a seed.
func noise(seed, size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		d := cas.DigestBytes(fmt.Append(nil, seed, i))
		b.WriteString(d.Hash)
	}
	return b.Bytes()[:size]
}

// sample is an action and the files of its output, some larger than a message.
func sample() (*action.Action, map[string][]byte) {
	return &action.Action{Args: []string{"cc", "-c"}, Env: map[string]string{"LC_ALL": "C"}, Inputs: cas.DigestBytes(nil)},
		map[string][]byte{"bin/a": noise(1, 6<<20), "bin/b": noise(2, 300<<10), "lib/c.rlib": noise(3, 10), "empty": {}, "lib/again": noise(3, 10)}
}

// put stores an output.
func (m *machine) put(files map[string][]byte) cas.Digest {
	m.t.Helper()
	tree := cas.NewTree()
	for name, text := range files {
		d, err := m.store.PutBytes(text)
		if err != nil {
			m.t.Fatal(err)
		}
		tree.Entries[name] = cas.Entry{Digest: d, Executable: strings.HasPrefix(name, "bin/")}
	}
	tree.Entries["link"] = cas.Entry{Link: "bin/a"}
	root, err := m.store.PutTree(tree)
	if err != nil {
		m.t.Fatal(err)
	}
	return root
}

// fill uploads the sample to a server.
func fill(t *testing.T, server *remotetest.Server, edit ...func(*Config)) (*action.Action, cas.Digest) {
	t.Helper()
	m := newMachine(t, server, edit...)
	a, files := sample()
	root := m.put(files)
	m.Offer(a, action.Result{Output: root, Duration: 90 * time.Second, Notices: []string{"one", "two"}})
	if left := m.Close(t.Context()); left != 0 || m.said() != "" {
		t.Fatalf("%d left: %s", left, m.said())
	}
	return a, root
}

// check reads the whole output on a machine, and whether it is the sample.
func (m *machine) check(root cas.Digest) {
	m.t.Helper()
	dir := m.t.TempDir()
	if err := m.store.Materialise(m.t.Context(), root, dir, nil, nil); err != nil {
		m.t.Fatal(err)
	}
	_, files := sample()
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			m.t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestAResultGoesToAnotherMachine(t *testing.T) {
	for name, c := range map[string]struct {
		faults remotetest.Faults
		edit   func(*Config)
	}{
		"plain":               {},
		"an instance":         {remotetest.Faults{Instance: "ours"}, func(*Config) {}},
		"zstd":                {remotetest.Faults{Zstd: true}, func(c *Config) { c.Compress = true }},
		"zstd is not offered": {remotetest.Faults{}, func(c *Config) { c.Compress = true }},
		"small batches":       {remotetest.Faults{BatchBytes: 1 << 20}, func(*Config) {}},
		"a token":             {remotetest.Faults{Token: "Bearer x"}, func(c *Config) { c.Headers = []Header{{"authorization", "Bearer x"}} }},
	} {
		t.Run(name, func(t *testing.T) {
			if c.edit == nil {
				c.edit = func(*Config) {}
			}
			server := remotetest.Start(t, c.faults)
			a, root := fill(t, server, c.edit)
			m := newMachine(t, server, c.edit)
			r, ok := m.Lookup(t.Context(), a)
			if !ok || r.Output != root || !r.Remote || r.Duration != 90*time.Second || !slices.Equal(r.Notices, []string{"one", "two"}) {
				t.Fatalf("%v %+v; %s", ok, r, m.said())
			}
			if m.store.Complete(root) == nil {
				t.Error("the files came with the lookup")
			}
			m.check(root)
			if got := m.Stats(); got.Hits != 1 || got.Wrong != 0 || got.DownBytes < 6<<20 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The bytes of an entry are those that the API's own library writes.
func TestTheEncodingIsTheLibrarys(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{})
	m := newMachine(t, server)
	a, files := sample()
	a.Salt, a.Outputs = map[string]string{"b": "2", "a": ""}, []string{"out/b", "out/a"}
	tree, _, _, err := treeOf(m.store, m.put(files))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ours []byte
		form proto.Message
	}{"Command": {a.Command(), &repb.Command{}}, "Action": {a.Message(), &repb.Action{}}, "Tree": {tree, &repb.Tree{}}} {
		if err := proto.Unmarshal(c.ours, c.form); err != nil {
			t.Fatal(err)
		}
		got, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.form)
		if err != nil || !bytes.Equal(got, c.ours) || len(c.form.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}

// Uploading twice moves nothing the second time, and a second result with the same files moves none of them.
func TestWhatIsThereIsNotUploaded(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{})
	fill(t, server)
	m := newMachine(t, server)
	a, files := sample()
	root := m.put(files)
	a.Args = append(a.Args, "again")
	m.Offer(a, action.Result{Output: root})
	if left := m.Close(t.Context()); left != 0 {
		t.Fatalf("%d left", left)
	}
	if up := m.Stats().UpBytes; up > 1000 {
		t.Errorf("%d bytes again", up)
	}
}

func hang(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// Whatever a server does, a build has no error of it, no wrong byte, and loses seconds at most.
func TestABadServerIsAMiss(t *testing.T) {
	refuse := func(code codes.Code) func(context.Context, string) error {
		return func(context.Context, string) error { return status.Error(code, "no") }
	}
	afterCapabilities := func(f func(context.Context, string) error) func(context.Context, string) error {
		return func(ctx context.Context, method string) error {
			if method == "GetCapabilities" {
				return nil
			}
			return f(ctx, method)
		}
	}
	for name, c := range map[string]struct {
		before func(context.Context, string) error
		said   string
	}{
		"hangs from the first":     {hang, "did not answer in time"},
		"hangs later":              {afterCapabilities(hang), "did not answer in time"},
		"unavailable":              {refuse(codes.Unavailable), "no"},
		"unavailable later":        {afterCapabilities(refuse(codes.Unavailable)), "no"},
		"wants credentials":        {refuse(codes.Unauthenticated), "wants credentials"},
		"token expires":            {afterCapabilities(refuse(codes.Unauthenticated)), "wants credentials"},
		"forbids":                  {afterCapabilities(refuse(codes.PermissionDenied)), "does not allow"},
		"is something else":        {refuse(codes.Unimplemented), "no server of the Remote Execution API"},
		"has internal errors":      {afterCapabilities(refuse(codes.Internal)), "Internal"},
		"knows no result":          {afterCapabilities(refuse(codes.NotFound)), ""},
		"does not know the method": {afterCapabilities(refuse(codes.Unimplemented)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := remotetest.Start(t, remotetest.Faults{Before: c.before})
			m := newMachine(t, server, func(c *Config) { c.Timeout, c.Retries = 300*time.Millisecond, DefaultRetries })
			a, _ := sample()
			begin := time.Now()
			for range 20 {
				if _, ok := m.Lookup(t.Context(), a); ok {
					t.Fatal("a result")
				}
				if err := m.store.Need(t.Context(), []cas.Digest{cas.DigestBytes([]byte("x"))}); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			said := m.said()
			if strings.Count(said, "\n") > 0 || (said == "") != (c.said == "") || !strings.Contains(said, c.said) {
				t.Errorf("said %q, want %q", said, c.said)
			}
		})
	}
}

// A server that is not there costs a lookup little and the rest of the build nothing.
func TestADeadServer(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{})
	server.Stop()
	m := newMachine(t, server, func(c *Config) { c.Retries = DefaultRetries })
	a, files := sample()
	begin := time.Now()
	m.Offer(a, action.Result{Output: m.put(files)})
	if _, ok := m.Lookup(t.Context(), a); ok {
		t.Error("a result")
	}
	if left := m.Close(t.Context()); left != 1 || strings.Count(m.said(), "\n") != 0 || !strings.Contains(m.said(), "is not used") {
		t.Errorf("%d left, said %q", left, m.said())
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// No wrong byte gets in: the entry's folders are those of its root, and each file is what its name says.
func TestALyingServer(t *testing.T) {
	one := func(f func(server *remotetest.Server, r *repb.ActionResult)) func(*remotetest.Server) {
		return func(server *remotetest.Server) {
			server.Edit(func(_ string, r *repb.ActionResult) *repb.ActionResult {
				r = proto.Clone(r).(*repb.ActionResult)
				f(server, r)
				return r
			})
		}
	}
	tree := func(text []byte) func(*remotetest.Server) {
		// The lock of Edit is held while Put takes it.
		return func(server *remotetest.Server) {
			d := server.Put(text)
			one(func(_ *remotetest.Server, r *repb.ActionResult) {
				r.OutputDirectories[0].TreeDigest, r.OutputDirectories[0].RootDirectoryDigest = d, nil
			})(server)
		}
	}
	message := func(m proto.Message) []byte {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	digest := digestMessage(cas.DigestBytes([]byte("x")))
	for name, lie := range map[string]func(*remotetest.Server){
		"failed":       one(func(_ *remotetest.Server, r *repb.ActionResult) { r.ExitCode = 1 }),
		"no output":    one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories = nil }),
		"another path": one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories[0].Path = "a" }),
		"a file beside": one(func(_ *remotetest.Server, r *repb.ActionResult) {
			r.OutputFiles = []*repb.OutputFile{{Path: "x", Digest: digest}}
		}),
		"no tree":      one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories[0].TreeDigest = nil }),
		"no such tree": one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories[0].TreeDigest = digest }),
		"a huge tree": one(func(_ *remotetest.Server, r *repb.ActionResult) {
			r.OutputDirectories[0].TreeDigest.SizeBytes = 1 << 50
		}),
		"a strange hash": one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories[0].TreeDigest.Hash = "../../etc" }),
		"another root":   one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories[0].RootDirectoryDigest = digest }),
		"no message":     tree([]byte("\xff\xff\xff")),
		"cut":            tree([]byte("\x0a\x20abc")),
		"two roots":      tree([]byte("\x0a\x00\x0a\x00")),
		"a hostile name": tree(message(&repb.Tree{Root: &repb.Directory{Files: []*repb.FileNode{{Name: "../x", Digest: digest}}}})),
		"unsorted":       tree(message(&repb.Tree{Root: &repb.Directory{Files: []*repb.FileNode{{Name: "b", Digest: digest}, {Name: "a", Digest: digest}}}})),
		"a folder that is not in it": tree(message(&repb.Tree{Root: &repb.Directory{
			Directories: []*repb.DirectoryNode{{Name: "sub", Digest: digest}}}})),
		"a link and a folder of one name": tree(message(&repb.Tree{
			Root: &repb.Directory{
				Directories: []*repb.DirectoryNode{{Name: "a", Digest: digestMessage(cas.DigestBytes(nil))}},
				Symlinks:    []*repb.SymlinkNode{{Name: "a", Target: "/etc"}},
			}, Children: []*repb.Directory{{}}})),
		"another tree under its name": func(server *remotetest.Server) {
			one(func(_ *remotetest.Server, r *repb.ActionResult) { r.OutputDirectories[0].RootDirectoryDigest = nil })(server)
			server.Replace(func(text []byte) bool { return bytes.Contains(text, []byte("c.rlib")) }, []byte("\x0a\x00"))
		},
		"unknown fields": tree(append(message(&repb.Tree{Root: &repb.Directory{}}), "\x0a\x03\x22\x01x"...)),
	} {
		t.Run(name, func(t *testing.T) {
			server := remotetest.Start(t, remotetest.Faults{})
			a, _ := fill(t, server)
			lie(server)
			m := newMachine(t, server)
			if r, ok := m.Lookup(t.Context(), a); ok {
				t.Errorf("took %+v", r)
			}
			if got := m.Stats(); got.Misses != 1 || m.said() != "" {
				t.Errorf("%+v, said %q", got, m.said())
			}
		})
	}
}

func TestWrongBytesAreDropped(t *testing.T) {
	for name, c := range map[string]struct {
		faults remotetest.Faults
		wrong  bool
	}{
		"a flipped bit in large files": {remotetest.Faults{Corrupt: 1 << 20}, true},
		"in small ones":                {remotetest.Faults{Corrupt: 4 << 10}, true},
		"half a stream":                {remotetest.Faults{CutStreams: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := remotetest.Start(t, remotetest.Faults{})
			a, root := fill(t, server)
			m := newMachine(t, server)
			_, ok := m.Lookup(t.Context(), a)
			server.Faults = c.faults
			if !ok {
				t.Fatal("no result")
			}
			if err := m.store.NeedTree(t.Context(), root); err != nil {
				t.Fatal(err)
			}
			if err := m.store.Complete(root); err == nil {
				t.Error("it is complete")
			}
			if damaged, _, err := m.store.Verify(t.Context()); err != nil || len(damaged) > 0 {
				t.Errorf("in the store: %v, %v", damaged, err)
			}
			m.Close(t.Context())
			if got := m.Stats().Wrong > 0; got != c.wrong || strings.Contains(m.said(), "gave other bytes") != c.wrong {
				t.Errorf("%+v, said %q", m.Stats(), m.said())
			}
		})
	}
}

// A server that takes nothing says so once, and reading goes on.
func TestAReadOnlyServer(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{ReadOnly: true})
	m := newMachine(t, server)
	a, files := sample()
	root := m.put(files)
	for i := range 5 {
		a.Args[0] = fmt.Sprint(i)
		m.Offer(a, action.Result{Output: root})
	}
	if left := m.Close(t.Context()); left != 5 || strings.Count(m.said(), "\n") != 0 || !strings.Contains(m.said(), "nothing is uploaded") || !strings.Contains(m.said(), "read-only") {
		t.Errorf("%d left, said %q", left, m.said())
	}
	if server.Blobs() != 0 {
		t.Error("blobs were uploaded")
	}
}

// What is still to be uploaded when a build has no more time stays here.
func TestCloseEndsInTime(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{Before: func(ctx context.Context, method string) error {
		if method == "FindMissingBlobs" {
			return hang(ctx, method)
		}
		return nil
	}})
	m := newMachine(t, server, func(c *Config) { c.Timeout = time.Minute })
	a, files := sample()
	m.Offer(a, action.Result{Output: m.put(files)})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if left := m.Close(ctx); left != 1 || time.Since(begin) > 5*time.Second {
		t.Errorf("%d left after %v", left, time.Since(begin))
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"grpc://localhost:50051":        "dns:///localhost:50051 false",
		"grpcs://cache.example.org:443": "dns:///cache.example.org:443 true",
		"cache.example.org:443":         "dns:///cache.example.org:443 true",
		"grpc://[::1]:8980/":            "dns:///[::1]:8980 false",
		"unix:/run/casd.sock":           "unix:/run/casd.sock false",
		"unix:///run/casd.sock":         "unix:/run/casd.sock false",
		"http://cache:80":               `scheme "http" is not known`,
		"grpc://cache":                  "is not HOST:PORT",
		"unix:":                         "wants the path",
		"":                              "is not HOST:PORT",
	} {
		target, secure, err := ParseAddress(address)
		got := fmt.Sprint(target, " ", secure)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", address, got, want)
		}
	}
}

// A secret does not go over a line that others read.
func TestSecretsWantTLS(t *testing.T) {
	secret := []Header{{"authorization", "Bearer x"}}
	for address, ok := range map[string]bool{
		"grpc://cache.example.org:80": false, "grpcs://cache.example.org:443": true, "grpc://127.0.0.1:80": true, "grpc://localhost:80": true,
		"grpc://[::1]:80": true, "unix:/s": true, "grpc://127.0.0.1.example.org:80": false,
	} {
		c, err := New(Config{Address: address, Headers: secret}, nil, nil)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "Bearer x") {
			t.Errorf("the secret is in %v", err)
		}
		if c != nil {
			if err := c.connection.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
