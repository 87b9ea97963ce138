package boottest

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

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// diskWith is an image that holds the files of a description.
func diskWith(t *testing.T, text string) (*run, string) {
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
	return &run{test: &boottest.Test{}, m: m, tool: tool}, path
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
		var test boottest.Test
		if err := tomlfile.Decode("t.toml", []byte("keep = 'writes'\n[[after]]\n"+tt.toml), &test); err != nil {
			t.Fatal(err)
		}
		r.test = &test
		o, err := r.judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Extra) != 2 || o.Extra[0].Err != nil {
			t.Errorf("%s: %+v", tt.toml, o.Extra)
		}
		if (o.Err() == nil) != (tt.want == nil) {
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
	r.test = &boottest.Test{Keep: boottest.KeepWrites, After: []boottest.After{{Path: "/etc", Type: "dir"}}}
	o, err := r.judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
	if err != nil || o.Err() == nil || !strings.Contains(o.Err().Error(), "the file system is sound") {
		t.Errorf("%v, %v", err, o.Err())
	}
}

// Nothing is looked at when the guest has failed: its failure is what matters.
func TestJudgeFailedGuest(t *testing.T) {
	r := &run{test: &boottest.Test{Keep: boottest.KeepWrites, After: []boottest.After{{Path: "/x"}}, Traces: []boottest.Trace{{Event: "x"}}}}
	o, err := r.judge(t.Context(), &qemu.Result{Outcome: qemu.Silence})
	if err != nil || len(o.Extra) != 0 || o.Err() == nil {
		t.Errorf("%v, %+v", err, o)
	}
}

func TestCountTraces(t *testing.T) {
	lines := "file_paio_submit acb 0x1 opaque 0x2 offset 0 count 512 type 2\nfile_paio_submit acb 0x1 opaque 0x2 offset 0 count 0 type 8\n" +
		"file_paio_submit_co x type 8\nother y\n"
	number := func(n int) *int { return &n }
	tests := []struct {
		trace boottest.Trace
		want  string
	}{
		{boottest.Trace{Event: "file_paio_submit"}, ""},
		{boottest.Trace{Event: "file_paio_submit", Match: "type 8$", AtMost: number(1)}, ""},
		{boottest.Trace{Event: "file_paio_submit", AtLeast: number(3)}, "2 times, want at least 3"},
		{boottest.Trace{Event: "file_paio_submit", AtMost: number(1)}, "2 times, want at most 1"},
		{boottest.Trace{Event: "absent"}, "0 times"},
		{boottest.Trace{Event: "absent", AtLeast: number(0), AtMost: number(0)}, ""},
	}
	for _, tt := range tests {
		err := tt.trace.Count(lines)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.trace, err)
		}
	}
}

func TestJUnit(t *testing.T) {
	steps := []qemu.StepResult{{Name: "first", Seen: true}, {Name: "b"}}
	file := filepath.Join(t.TempDir(), "test", "x.xml")
	write := func(o *boottest.Outcome) (got junit.Suite) {
		t.Helper()
		if err := writeJUnit(file, "x", o); err != nil {
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
	got := write(&boottest.Outcome{Result: &qemu.Result{Outcome: qemu.Silence, Steps: steps, Elapsed: 1500 * time.Millisecond, Last: []string{"<last>"}}})
	if got.Tests != 3 || got.Failures != 1 || got.Time != "1.5" || got.Cases[0].Skipped != nil || got.Cases[1].Skipped == nil ||
		got.Cases[2].Failure == nil || !strings.Contains(got.Cases[2].Failure.Text, "<last>") {
		t.Errorf("%+v", got)
	}
	got = write(&boottest.Outcome{Result: &qemu.Result{Outcome: qemu.Passed, Steps: steps}, Extra: []boottest.Check{{Name: "one"}, {Name: "two", Err: errors.New("bad")}}})
	if got.Tests != 5 || got.Failures != 1 || got.Cases[3].Failure != nil || got.Cases[4].Failure == nil || got.Cases[4].Name != "two" {
		t.Errorf("%+v", got)
	}
}

// What a test adds replaces what is there and leaves the folders above as they are.
func TestBootAdditions(t *testing.T) {
	var test boottest.Test
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
