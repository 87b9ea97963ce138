package rustbuild

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func (k *kit) unpacker() *Unpacker {
	return &Unpacker{
		Store: Store{Dir: filepath.Join(k.t.TempDir(), "rust")}, Host: k.build.Host, Ask: ask, Waiting: func() {},
		FindLLVM: func(_ context.Context, major LLVMRange) (*LLVM, error) {
			if major.Oldest != 22 || major.Newest != 22 {
				return nil, &Lacking{What: "LLVM"}
			}
			return k.build.LLVM, nil
		},
	}
}

func (k *kit) pack() (file, sum string) {
	k.t.Helper()
	file = filepath.Join(k.t.TempDir(), "fake.tar.xz")
	sum, err := Pack(k.t.Context(), k.whole(), file)
	if err != nil {
		k.t.Fatal(err)
	}
	return file, sum
}

func TestPackUnpack(t *testing.T) {
	k := newKit(t)
	file, sum := k.pack()
	again := filepath.Join(t.TempDir(), "again.tar.xz")
	if other, err := Pack(t.Context(), k.build.Store.Link("fake")+"/.", again); err == nil {
		t.Logf("packed by its link: %s", other)
	}
	dir, err := k.build.Store.Resolve("fake")
	if err != nil {
		t.Fatal(err)
	}
	// Other times and owners of the files, the same bytes.
	now := time.Now()
	if err := os.Chtimes(filepath.Join(dir, "bin", "rustc"), now, now); err != nil {
		t.Fatal(err)
	}
	if other, err := Pack(t.Context(), dir, again); err != nil || other != sum {
		t.Errorf("packed again: %s, %v, first %s", other, err, sum)
	}
	for _, e := range k.read(file) {
		if strings.Contains(e.name, "llvm-") || strings.HasSuffix(e.name, "rust-lld") {
			t.Errorf("%s of this machine is packed", e.name)
		}
	}
	u := k.unpacker()
	got, m, err := u.Unpack(t.Context(), file, sum)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(got) != filepath.Base(dir) || m.Name != "fake" {
		t.Errorf("unpacked to %s, %+v", got, m)
	}
	if _, err := os.Stat(filepath.Join(got, "lib", "rustlib", k.build.Host, "bin", "rust-lld")); err != nil {
		t.Error("the tools are not linked:", err)
	}
	if link, err := u.Store.Resolve("fake"); err != nil || link != got {
		t.Errorf("resolves to %s, %v", link, err)
	}
	if twice, _, err := u.Unpack(t.Context(), file, ""); err != nil || twice != got {
		t.Errorf("a second time: %s, %v", twice, err)
	}
}

func TestPackRefusesWhatWasChanged(t *testing.T) {
	k := newKit(t)
	dir := k.whole()
	k.write(filepath.Join(dir, "bin", "rustc"), "#!/bin/sh\necho other\n", 0o755)
	var tampered *Tampered
	if _, err := Pack(t.Context(), dir, filepath.Join(t.TempDir(), "x")); !errors.As(err, &tampered) {
		t.Errorf("%v", err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	k := newKit(t)
	file, sum := k.pack()
	all := k.read(file)
	top, _, _ := strings.Cut(all[0].name, "/")
	change := func(f func(entries []entry) []entry) string {
		return k.tarXZ(f(append([]entry{}, all...))...)
	}
	add := func(e entry) string { return change(func(es []entry) []entry { return append(es, e) }) }
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.tar.xz")
	k.write(cut, string(whole[:len(whole)-200]), 0o644)
	flipped := filepath.Join(t.TempDir(), "flipped.tar.xz")
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 1
	k.write(flipped, string(bad), 0o644)
	plain := filepath.Join(t.TempDir(), "plain")
	k.write(plain, "no archive", 0o644)

	for name, test := range map[string]struct{ file, sum, want string }{
		"dots":          {add(entry{name: top + "/../evil", text: "x"}), "", "leaves the folder"},
		"dots inside":   {add(entry{name: top + "/bin/../../../evil", text: "x"}), "", "leaves the folder"},
		"absolute":      {add(entry{name: "/tmp/evil", text: "x"}), "", "leaves the folder"},
		"another top":   {add(entry{name: "other/evil", text: "x"}), "", "leaves the folder"},
		"link":          {add(entry{name: top + "/evil", link: "/etc/passwd"}), "", "no regular file"},
		"twice":         {add(all[1]), "", "exists"},
		"added":         {add(entry{name: top + "/bin/added", text: "x"}), "", "are not those"},
		"missing":       {change(func(es []entry) []entry { return append(es[:2], es[3:]...) }), "", "are not those"},
		"changed":       {change(func(es []entry) []entry { es[len(es)-1].text += "x"; return es }), "", "are not those"},
		"mode":          {change(func(es []entry) []entry { es[len(es)-1].mode ^= 0o111; return es }), "", "are not those"},
		"no manifest":   {change(func(es []entry) []entry { return es[1:] }), "", "begins with its"},
		"other inputs":  {change(func(es []entry) []entry { es[0].text = strings.Replace(es[0].text, "22.1.8", "22.1.9", 1); return es }), "", "identity is not that"},
		"other host":    {change(func(es []entry) []entry { es[0].text = "name = 'fake'\n"; return es }), "", "names no toolchain"},
		"cut":           {cut, "", "truncated"},
		"flipped":       {flipped, "", ""},
		"wrong digest":  {file, strings.Repeat("0", 64), "wrong digest"},
		"no xz at all":  {plain, "", "no packed toolchain"},
		"flipped, sum":  {flipped, sum, "wrong digest"},
		"name of a way": {change(func(es []entry) []entry { es[0].name = "../x/" + ManifestName; return es }), "", "begins with its"},
	} {
		t.Run(name, func(t *testing.T) {
			u := k.unpacker()
			_, _, err := u.Unpack(t.Context(), test.file, test.sum)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if left, _ := filepath.Glob(filepath.Join(u.Store.Dir, "*")); len(left) > 0 && filepath.Base(left[0]) != workFolder {
				t.Errorf("left behind: %v", left)
			}
			if left, _ := filepath.Glob(filepath.Join(u.Store.Dir, partialPrefix+"*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(u.Store.Dir), "evil")); len(left) > 0 {
				t.Error("something came out of the folder")
			}
		})
	}
}

func TestUnpackNeedsTheSameLLVM(t *testing.T) {
	k := newKit(t)
	file, _ := k.pack()
	u := k.unpacker()
	u.FindLLVM = func(ctx context.Context, wanted LLVMRange) (*LLVM, error) {
		return FindLLVM(ctx, (&fakeMachine{}).machine(), wanted)
	}
	_, _, err := u.Unpack(t.Context(), file, "")
	if err == nil || !strings.Contains(err.Error(), "fake was built with LLVM 22.1.8: no LLVM of version 22 to 22") || !strings.Contains(err.Error(), "llvm-22-dev") {
		t.Errorf("%v", err)
	}
	u.FindLLVM = nil
	u.Host = "mips-unknown-none"
	if _, _, err := u.Unpack(t.Context(), file, ""); err == nil || !strings.Contains(err.Error(), "and this is mips") {
		t.Errorf("%v", err)
	}
}
