package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// What a person changed is said in words: which file, flag, tool or override, and never with a value that is cut.
func TestChangesAreWords(t *testing.T) {
	long := strings.Repeat("x", 100)
	for name, c := range map[string]struct {
		differences []action.Difference
		want        []string
	}{
		"files": {[]action.Difference{{Field: "file a", Old: "1", New: "2"}, {Field: "file b", New: "2"}, {Field: "file c", Old: "1"}},
			[]string{"file a changed", "file b is new", "file c is gone"}},
		"files that are collected": {[]action.Difference{{Field: "input tree", Old: "1", New: "2"}},
			[]string{"files of its input changed (this cache does not know which)"}},
		"flags": {[]action.Difference{{Field: "argument", Old: "--locked"}, {Field: "argument", New: "-Zx"}},
			[]string{"argument --locked is gone", "argument -Zx is new"}},
		"order": {[]action.Difference{{Field: "argument order", Old: "[a b]", New: "[b a]"}}, []string{"its arguments are in another order"}},
		"a flag's value": {[]action.Difference{{Field: "argument", Old: "max-size-mib=40"}, {Field: "argument", New: "max-size-mib=64"}},
			[]string{"max-size-mib: 40 -> 64"}},
		"a source's commit": {[]action.Difference{{Field: "argument", Old: "git:abc"}, {Field: "argument", New: "git:def"}},
			[]string{"argument: git:abc -> git:def"}},
		"a patch": {[]action.Difference{{Field: "argument", Old: "base=" + strings.Repeat("a", 64)}, {Field: "argument", New: "base=" + strings.Repeat("b", 64)}},
			[]string{"base changed"}},
		"another version of the step": {[]action.Difference{{Field: "argument", Old: "builtin:initfs/3"}, {Field: "argument", New: "builtin:initfs/4"}},
			[]string{"this redox-clif does the step in another way (builtin:initfs/4, was builtin:initfs/3)"}},
		"an override comes": {[]action.Difference{
			{Field: "argument", Old: "source-1=libc/source"}, {Field: "argument", New: "source-1=override/https___x.org_a.git"}, {Field: "argument", New: "source-2=libc/source"}},
			[]string{"override of git dependency x.org_a.git by a folder is new"}},
		"an override goes": {[]action.Difference{{Field: "argument", Old: "source-1=override/https___x.org_a.git"}},
			[]string{"override of git dependency x.org_a.git by a folder is gone"}},
		"sources by other numbers": {[]action.Difference{{Field: "argument", Old: "source-1=a"}, {Field: "argument", New: "source-2=a"}},
			[]string{"its sources are in another order"}},
		"overrides in the settings": {[]action.Difference{
			{Field: "argument", Old: `{"deps":[{"url":"https://x.org/a.git","remove":true},{"crate":"libc","folder":"libc"}],"dir":"."}`},
			{Field: "argument", New: `{"deps":[{"url":"https://x.org/b.git","version":"0.5"},{"url":"https://x.org/c.git","folder":"c"}],"dir":"sub"}`}},
			[]string{"override of git dependency https://x.org/a.git by nothing is gone", "override of crate libc by a folder is gone",
				"override of git dependency https://x.org/b.git by version 0.5 is new", "override of git dependency https://x.org/c.git by a folder is new",
				"its config: dir: . -> sub"}},
		"members": {[]action.Difference{{Field: "argument", Old: `{"deps":null,"members":["a"]}`}, {Field: "argument", New: `{"deps":null,"members":["a","b"]}`}},
			[]string{"members: b is new"}},
		"what is said of a file": {[]action.Difference{
			{Field: "argument", Old: `bootstrap={"path":"","backend":"llvm","deep":{"a":1}}`}, {Field: "argument", New: `bootstrap={"path":"","backend":"cranelift","deep":{"a":2}}`}},
			[]string{"bootstrap: backend: llvm -> cranelift", "bootstrap: deep changed"}},
		"what is said of a file is new": {[]action.Difference{{Field: "argument", New: `bootstrap={"path":""}`}}, []string{"argument bootstrap is new"}},
		"rustflags": {[]action.Difference{{Field: "environment RUSTFLAGS", Old: "-Ca=1 -Cb", New: "-Ca=2 -Cb"}},
			[]string{"environment RUSTFLAGS: -Ca=1 is gone, -Ca=2 is new"}},
		"variables": {[]action.Difference{{Field: "environment A", New: "1"}, {Field: "environment B", Old: "1"}, {Field: "environment C", Old: "1", New: long}},
			[]string{"environment A is new (1)", "environment B is gone (was 1)", "environment C changed"}},
		"tool":   {[]action.Difference{{Field: "salt toolchain", Old: "rustc 1", New: "rustc 2"}}, []string{"toolchain: rustc 1 -> rustc 2"}},
		"output": {[]action.Difference{{Field: "output", New: "target/init"}}, []string{"output target/init is new"}},
	} {
		if diff := cmp.Diff(c.want, Changes(c.differences)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReasonIsOneLine(t *testing.T) {
	act := func(args ...string) *action.Action { return &action.Action{Args: args} }
	for _, c := range []struct {
		last []string // nil: never built
		now  []string
		want string
	}{
		{nil, []string{"a"}, "not built before"},
		{[]string{"a"}, []string{"a"}, "its result is not in this cache"},
		{[]string{"a"}, []string{"a", "-b"}, "argument -b is new"},
		{[]string{"a"}, []string{"a", "-b", "-c", "-d"}, "argument -b is new (and 2 more)"},
	} {
		var last *Record
		if c.last != nil {
			last = &Record{Action: act(c.last...)}
		}
		if got := reason(nil, last, act(c.now...)); got != c.want {
			t.Errorf("%s: %q, want %q", slices.Concat(c.last, c.now), got, c.want)
		}
	}
}

func TestReasonCountsFiles(t *testing.T) {
	store := newWorld(t).Store
	act := func(text string, names ...string) *action.Action {
		tree := cas.NewTree()
		for _, name := range names {
			tree.Entries[name] = cas.Entry{Digest: cas.DigestBytes([]byte(text))}
		}
		d, err := store.PutTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		return &action.Action{Inputs: d}
	}
	for want, files := range map[string][]string{
		"file a changed": {"a"}, "file a changed (and 1 more)": {"a", "b"}, "file a changed (and 2 more files)": {"a", "b", "c"},
	} {
		if got := reason(store, &Record{Action: act("1", files...)}, act("2", files...)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
