package boottest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// diskWith is an image that holds the files of a description.
func diskWith(t *testing.T, text string) (*Run, string) {
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
	m := &qemu.Machine{Drives: []qemu.Drive{{File: path}}}
	return &Run{Test: &Test{}, Services: &Services{}, Machine: m, tool: tool}, path
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
		var test Test
		if err := tomlfile.Decode("t.toml", []byte("keep = 'writes'\n[[after]]\n"+tt.toml), &test); err != nil {
			t.Fatal(err)
		}
		r.Test = &test
		o, err := r.Judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Checks) != 2 || o.Checks[0].Problem != "" {
			t.Errorf("%s: %+v", tt.toml, o.Checks)
		}
		if (o.Err() == nil) != (tt.want == nil) || o.Passed != (tt.want == nil) {
			t.Errorf("%s: %v", tt.toml, o.Err())
		}
		for _, want := range tt.want {
			if err := o.Err(); err == nil || !strings.Contains(err.Error(), want) {
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
	r.Test = &Test{Keep: KeepWrites, After: []After{{Path: "/etc", Type: "dir"}}}
	o, err := r.Judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
	if err != nil || o.Err() == nil || !strings.Contains(o.Err().Error(), "the file system is sound") {
		t.Errorf("%v, %v", err, o.Err())
	}
}

// Nothing is looked at when the guest has failed: its failure is what matters.
func TestJudgeFailedGuest(t *testing.T) {
	r := &Run{Test: &Test{Keep: KeepWrites, After: []After{{Path: "/x"}}, Traces: []Trace{{Event: "x"}}}}
	o, err := r.Judge(t.Context(), &qemu.Result{Outcome: qemu.Silence})
	if err != nil || len(o.Checks) != 0 || o.Err() == nil || o.Passed || o.Guest != qemu.Silence {
		t.Errorf("%v, %+v", err, o)
	}
}

func TestCountTraces(t *testing.T) {
	lines := "file_paio_submit acb 0x1 opaque 0x2 offset 0 count 512 type 2\nfile_paio_submit acb 0x1 opaque 0x2 offset 0 count 0 type 8\n" +
		"file_paio_submit_co x type 8\nother y\n"
	number := func(n int) *int { return &n }
	tests := []struct {
		trace Trace
		want  string
	}{
		{Trace{Event: "file_paio_submit"}, ""},
		{Trace{Event: "file_paio_submit", Match: "type 8$", AtMost: number(1)}, ""},
		{Trace{Event: "file_paio_submit", AtLeast: number(3)}, "2 times, want at least 3"},
		{Trace{Event: "file_paio_submit", AtMost: number(1)}, "2 times, want at most 1"},
		{Trace{Event: "absent"}, "0 times"},
		{Trace{Event: "absent", AtLeast: number(0), AtMost: number(0)}, ""},
	}
	for _, tt := range tests {
		err := tt.trace.count(lines)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.trace, err)
		}
	}
}

func TestJUnit(t *testing.T) {
	steps := []qemu.StepResult{{Name: "first", Seen: true}, {Name: "b"}}
	got := (&Outcome{Guest: qemu.Silence, Problem: "last lines:\n  <last>", Steps: steps, TookMillis: 1500}).JUnit()
	if got.Tests != 3 || got.Failures != 1 || got.Time != "1.5" || got.Cases[0].Skipped != nil || got.Cases[1].Skipped == nil ||
		got.Cases[2].Failure == nil || !strings.Contains(got.Cases[2].Failure.Text, "<last>") {
		t.Errorf("%+v", got)
	}
	got = (&Outcome{Guest: qemu.Passed, Steps: steps, Checks: []Check{{Name: "one"}, {Name: "two", Problem: "bad"}}}).JUnit()
	if got.Tests != 5 || got.Failures != 1 || got.Cases[3].Failure != nil || got.Cases[4].Failure == nil || got.Cases[4].Name != "two" {
		t.Errorf("%+v", got)
	}
}

// What a test adds replaces what is there and leaves the folders above as they are.
func TestBootAdditions(t *testing.T) {
	var test Test
	text := "[[file]]\nto = '/tmp/a/b'\ntext = 'x'\n[[file]]\nto = '/etc/c'\nfrom = 'file:/c'\n[[dir]]\npath = '/var'\nmode = '0700'\n"
	if err := tomlfile.Decode("t.toml", []byte(text), &test); err != nil {
		t.Fatal(err)
	}
	ops, err := test.Additions().Additions(t.Context(), func(_ context.Context, ref string) ([]disk.Item, error) {
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
	if _, err := test.Additions().Additions(t.Context(), nil); err == nil {
		t.Error("mode 9 was accepted")
	}
}

func TestMachineOfATest(t *testing.T) {
	vars := filepath.Join(t.TempDir(), "VARS.fd")
	if err := os.WriteFile(vars, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	test, err := Parse("t.toml", []byte("machine = 'smp'\nmemory-mib = 64\ndevice = 'nvme'\nkeep = 'flushed'\n[[service]]\nname = 'a'\n[[trace]]\nevent = 'e'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := test.Guest(), (qemu.GuestOptions{Profile: "smp", Memory: 64, Writable: true}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := test.Limits(), (qemu.Limits{Silence: time.Minute, Total: 5 * time.Minute}); got != want {
		t.Errorf("limits that are not given: %+v", got)
	}
	m := qemu.VirtAArch64("q")
	m.Firmware, m.Drives = &qemu.Firmware{Code: "c", Vars: vars}, []qemu.Drive{{File: "image", Writable: true}}
	r := &Run{Test: test, Machine: &m, Dir: t.TempDir()}
	if err := r.Configure(); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(r.Dir, "disk.img")
	if err := os.WriteFile(image, []byte("as it was"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.UseCopy(t.Context(), image, "tool"); err != nil {
		t.Fatal(err)
	}
	args, err := m.Args()
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(strings.Join(args, " "), r.Dir, "DIR")
	for _, want := range []string{"file=DIR/vars.fd", "file.file.filename=DIR/disk.img", "log.file.filename=DIR/writes.log", "nvme,drive=disk0", "virtio-net-pci", "-trace enable=e -D DIR/trace"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	if before, err := os.ReadFile(r.before); err != nil || string(before) != "as it was" {
		t.Errorf("%q, %v", before, err)
	}
}

// What the guest did not flush is lost: the disk as it lies there is not what is judged.
func TestOnlyFlushedWritesAreJudged(t *testing.T) {
	r, path := diskWith(t, "[[file]]\nto = '/etc/f'\ntext = 'flushed'\n")
	log := filepath.Join(t.TempDir(), "writes.log")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r.before, r.Machine.Drives = path, []qemu.Drive{{File: "as the guest left it", WriteLog: log}}
	for text, problem := range map[string]string{"flushed": "", "other": "(the guest flushed 0 times, after 0 writes; 0 writes after that are lost)"} {
		r.Test = &Test{Keep: KeepFlushed, After: []After{{Path: "/etc/f", Text: &text}}}
		o, err := r.Judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
		if err != nil {
			t.Fatal(err)
		}
		if o.Writes == nil || o.Passed != (problem == "") || !strings.Contains(o.Checks[1].Problem, problem) {
			t.Errorf("%s: %+v", text, o)
		}
	}
}
