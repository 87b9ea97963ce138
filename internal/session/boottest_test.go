package session

import (
	"context"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

func TestScriptReportsEverything(t *testing.T) {
	text := "x"
	test := bootTest{
		Forbid: []string{"("}, Steps: []bootStep{{}, {Wait: "["}, {Wait: "a", Claim: "*"}},
		Keep:   "all",
		After:  []bootAfter{{Path: "a"}, {Path: "/b", Mode: "9"}, {Path: "/c", Type: "pipe"}, {Path: "/d", Absent: true, Text: &text}, {Path: "/e", Match: "+"}},
		Traces: []bootTrace{{Event: "virtio_*"}, {Event: "x", Match: ")"}},
	}
	_, err := test.script()
	for _, want := range []string{
		"missing closing )", "step 1 has no wait", "missing closing ]", "missing argument", `keep = "all"`, `after "a": no absolute path`, `mode "9"`,
		`type "pipe"`, "has no properties", `after "/e": error parsing`, `trace "virtio_*"`, `trace "x": error parsing`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	test = bootTest{Steps: []bootStep{{Wait: "a"}}, After: []bootAfter{{Path: "/a"}}}
	if _, err := test.script(); err == nil || !strings.Contains(err.Error(), "forgotten") {
		t.Errorf("[[after]] without keep: %v", err)
	}
}

func TestBootCommands(t *testing.T) {
	test := bootTest{Steps: []bootStep{{Wait: "up"}}, Commands: []bootCommand{{Run: "true"}, {Run: "false", Status: 1}}}
	ops := test.commandOps()
	if want := "true\necho boot-test command 1 status $?\nfalse\necho boot-test command 2 status $?\n"; *ops[0].Text != want {
		t.Errorf("script %q", *ops[0].Text)
	}
	script, err := test.script()
	if err != nil || len(script.Steps) != 3 {
		t.Fatal(script.Steps, err)
	}
	second := script.Steps[2]
	if !second.Pattern.MatchString("redox login: boot-test command 2 status 1") || second.Pattern.MatchString("boot-test command 2 status 10") ||
		!second.Claim.MatchString("boot-test command 2 status 0") || second.Claim.MatchString("boot-test command 20 status 0") {
		t.Errorf("step %+v", second)
	}
}

func TestWantsCopy(t *testing.T) {
	wanting := map[string]bootTest{
		"keep": {Keep: keepWrites}, "command": {Commands: []bootCommand{{}}}, "loader": {Loader: "x"}, "kernel": {Kernel: "x"}, "initfs": {Initfs: "x"},
		"tree": {Trees: []disk.Tree{{}}}, "file": {Files: []disk.File{{}}}, "dir": {Dirs: []disk.Dir{{}}},
	}
	for name, test := range wanting {
		if !test.wantsCopy() {
			t.Errorf("%s: no copy", name)
		}
	}
	if (&bootTest{Steps: []bootStep{{Wait: "x"}}, Traces: []bootTrace{{}}, Device: "nvme"}).wantsCopy() {
		t.Error("a copy for nothing")
	}
}

// diskWith is an image that holds the files of a description.
func diskWith(t *testing.T, text string) (*bootRun, string) {
	t.Helper()
	d, err := disk.Parse("t", "t.toml", []byte("size-mib = 8\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	ops, err := d.Contents(t.Context(), func(context.Context, string) ([]disk.Item, error) { return nil, errors.New("no references") })
	if err != nil {
		t.Fatal(err)
	}
	tool, path := redoxfstest.Tool(t), filepath.Join(t.TempDir(), "t.img")
	if _, err := (&disk.Build{Tool: tool, Description: d, Contents: ops}).Make(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	m := &guestMachine{image: path}
	m.Drives = []qemu.Drive{{}}
	return &bootRun{test: &bootTest{}, m: m, tool: tool}, path
}

func TestAfter(t *testing.T) {
	r, _ := diskWith(t, "[[file]]\nto = '/etc/f'\ntext = 'some text'\nmode = '0640'\nuid = 5\ngid = 6\n")
	tests := []struct {
		toml string
		want []string // of the error
	}{
		{"path = '/etc/f'\ntype = 'file'\ntext = 'some text'\nmatch = 'me t'\nmode = '0640'\nuid = 5\ngid = 6", nil},
		{"path = '/etc'\ntype = 'dir'\nmode = '755'", nil},
		{"path = '/etc/g'\nabsent = true", nil},
		{"path = '/etc/f'\ntype = 'dir'\ntext = 'some text '\nmatch = '^text'\nmode = '0644'\nuid = 0\ngid = 0", []string{
			"the type is file, want dir", "the mode is 0640, want 0644", "the owner is 5, want 0", "the group is 6, want 0", `the content is "some text", want "some text "`, "a match of ^text",
		}},
		{"path = '/etc/f'\ntext = ''", []string{`want ""`}},
		{"path = '/etc/f'\nabsent = true", []string{"is there"}},
		{"path = '/etc/g'", []string{"/etc/g"}},
	}
	for _, tt := range tests {
		var test bootTest
		if err := tomlfile.Decode("t.toml", []byte("keep = 'writes'\n[[after]]\n"+tt.toml), &test); err != nil {
			t.Fatal(err)
		}
		r.test = &test
		o, err := r.judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
		if err != nil {
			t.Fatal(err)
		}
		if len(o.extra) != 2 || o.extra[0].err != nil {
			t.Errorf("%s: %+v", tt.toml, o.extra)
		}
		if (o.err() == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.toml, o.err())
		}
		for _, want := range tt.want {
			if err := o.err(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error lacks %q: %v", tt.toml, want, err)
			}
		}
	}
}

func TestAfterFindsDamage(t *testing.T) {
	r, path := diskWith(t, "[[file]]\nto = '/etc/f'\ntext = 'a text that is found'\n")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[strings.Index(string(b), "a text that")]++
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	r.test = &bootTest{Keep: keepWrites, After: []bootAfter{{Path: "/etc", Type: "dir"}}}
	o, err := r.judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
	if err != nil || o.err() == nil || !strings.Contains(o.err().Error(), "the file system is sound") {
		t.Errorf("%v, %v", err, o.err())
	}
}

// Nothing is looked at when the guest has failed: its failure is what matters.
func TestJudgeFailedGuest(t *testing.T) {
	r := &bootRun{test: &bootTest{Keep: keepWrites, After: []bootAfter{{Path: "/x"}}, Traces: []bootTrace{{Event: "x"}}}}
	o, err := r.judge(t.Context(), &qemu.Result{Outcome: qemu.Silence})
	if err != nil || len(o.extra) != 0 || o.err() == nil {
		t.Errorf("%v, %+v", err, o)
	}
}

func TestCountTraces(t *testing.T) {
	lines := "file_paio_submit acb 0x1 opaque 0x2 offset 0 count 512 type 2\nfile_paio_submit acb 0x1 opaque 0x2 offset 0 count 0 type 8\n" +
		"file_paio_submit_co x type 8\nother y\n"
	number := func(n int) *int { return &n }
	tests := []struct {
		trace bootTrace
		want  string
	}{
		{bootTrace{Event: "file_paio_submit"}, ""},
		{bootTrace{Event: "file_paio_submit", Match: "type 8$", AtMost: number(1)}, ""},
		{bootTrace{Event: "file_paio_submit", AtLeast: number(3)}, "2 times, want at least 3"},
		{bootTrace{Event: "file_paio_submit", AtMost: number(1)}, "2 times, want at most 1"},
		{bootTrace{Event: "absent"}, "0 times"},
		{bootTrace{Event: "absent", AtLeast: number(0), AtMost: number(0)}, ""},
	}
	for _, tt := range tests {
		err := tt.trace.count(lines)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.trace, err)
		}
	}
}

func TestJUnit(t *testing.T) {
	test := &bootTest{Steps: []bootStep{{Name: "first", Wait: "a"}, {Wait: "b"}}}
	file := filepath.Join(t.TempDir(), "test", "x.xml")
	write := func(o *bootOutcome) (got junitSuite) {
		t.Helper()
		if err := writeJUnit(file, "x", test, o); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := write(&bootOutcome{result: &qemu.Result{Outcome: qemu.Silence, Missing: []string{"b"}, Elapsed: 1500 * time.Millisecond, Last: []string{"<last>"}}})
	if got.Tests != 3 || got.Failures != 1 || got.Time != "1.5" || got.Cases[0].Skipped != nil || got.Cases[1].Skipped == nil ||
		got.Cases[2].Failure == nil || !strings.Contains(got.Cases[2].Failure.Text, "<last>") {
		t.Errorf("%+v", got)
	}
	got = write(&bootOutcome{result: &qemu.Result{Outcome: qemu.Passed}, extra: []bootCheck{{"one", nil}, {"two", errors.New("bad")}}})
	if got.Tests != 5 || got.Failures != 1 || got.Cases[3].Failure != nil || got.Cases[4].Failure == nil || got.Cases[4].Name != "two" {
		t.Errorf("%+v", got)
	}
}

func TestScratch(t *testing.T) {
	s := imageCheckout(t, nil)
	dir, done, err := s.scratch("boot-test", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "disk.img"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// The same again is refused, another one is not, and neither takes the folder away.
	if _, _, err := s.scratch("boot-test", "a"); err == nil {
		t.Error("two runs have one folder")
	}
	_, doneB, err := s.scratch("boot-test", "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "disk.img")); err != nil {
		t.Error(err)
	}
	doneB()
	done()
	// What a killed run leaves, its folder and its lock that nobody holds, the next one removes, of whatever test it is.
	top := filepath.Dir(dir)
	lock, err := lockfile.Try(filepath.Join(top, "killed"+lockSuffix))
	if err != nil {
		t.Fatal(err)
	}
	lock.Release()
	if err := os.MkdirAll(filepath.Join(top, "killed", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, done, err = s.scratch("boot-test", "c")
	if err != nil {
		t.Fatal(err)
	}
	done()
	left, err := os.ReadDir(top)
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// What a test adds replaces what is there and leaves the folders above as they are.
func TestBootAdditions(t *testing.T) {
	var test bootTest
	text := "[[file]]\nto = '/tmp/a/b'\ntext = 'x'\n[[file]]\nto = '/etc/c'\nfrom = 'file:/c'\n[[dir]]\npath = '/var'\nmode = '0700'\n"
	if err := tomlfile.Decode("t.toml", []byte(text), &test); err != nil {
		t.Fatal(err)
	}
	ops, err := test.additions().Additions(t.Context(), func(_ context.Context, ref string) ([]disk.Item, error) {
		return []disk.Item{{Host: strings.TrimPrefix(ref, "file:"), Mode: 0o755}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, op := range ops {
		got = append(got, op.Op+" "+op.Path)
	}
	if diff := cmp.Diff([]string{redoxfs.OpFile + " /etc/c", redoxfs.OpFile + " /tmp/a/b", redoxfs.OpDir + " /var"}, got); diff != "" {
		t.Error(diff)
	}
	test.Files[0].Mode = "9"
	if _, err := test.additions().Additions(t.Context(), nil); err == nil {
		t.Error("mode 9 was accepted")
	}
}
