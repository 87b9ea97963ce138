package boottest

import (
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/disk"
)

func TestScriptReportsEverything(t *testing.T) {
	text := "x"
	test := Test{
		Forbid: []string{"("}, Steps: []Step{{Wait: "["}, {Wait: "a", Claim: "*"}},
		Keep: KeepWrites, Memory: -1,
		After:  []After{{Path: "a"}, {Path: "/b", Mode: "9"}, {Path: "/d", Absent: true, Text: &text}, {Path: "/e", Match: "+"}},
		Traces: []Trace{{Event: "virtio_*"}, {Event: "x", Match: ")"}},
	}
	_, err := test.Script()
	for _, want := range []string{
		"missing closing )", "missing closing ]", "missing argument", "memory-mib = -1", `after "a": no absolute path`, `mode "9"`,
		"has no properties", `after "/e": error parsing`, `trace "virtio_*"`, `trace "x": error parsing`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	for text, want := range map[string]string{
		"keep = 'all'": "writes, flushed", "[[step]]\nname = 'a'": "step.0.wait", "[[after]]\npath = '/c'\ntype = 'pipe'": "file, dir, link", "[[command]]": "command.0.run",
	} {
		if _, err := Parse("x.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	test = Test{Steps: []Step{{Wait: "a"}}, After: []After{{Path: "/a"}}}
	if _, err := test.Script(); err == nil || !strings.Contains(err.Error(), "forgotten") {
		t.Errorf("[[after]] without keep: %v", err)
	}
}

func TestBootCommands(t *testing.T) {
	test := Test{Steps: []Step{{Wait: "up"}}, Commands: []Command{{Run: "true"}, {Run: "false", Status: 1}}}
	ops := test.CommandOps()
	if want := "true\necho boot-test command 1 status $?\nfalse\necho boot-test command 2 status $?\n"; *ops[0].Text != want {
		t.Errorf("script %q", *ops[0].Text)
	}
	script, err := test.Script()
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
	wanting := map[string]Test{
		"keep": {Keep: KeepWrites}, "command": {Commands: []Command{{}}}, "loader": {Loader: "x"}, "kernel": {Kernel: "x"}, "initfs": {Initfs: "x"},
		"tree": {Trees: []disk.Tree{{}}}, "file": {Files: []disk.File{{}}}, "dir": {Dirs: []disk.Dir{{}}},
	}
	for name, test := range wanting {
		if !test.WantsCopy() {
			t.Errorf("%s: no copy", name)
		}
	}
	if (&Test{Steps: []Step{{Wait: "x"}}, Traces: []Trace{{}}, Device: "nvme"}).WantsCopy() {
		t.Error("a copy for nothing")
	}
}
