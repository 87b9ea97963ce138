package builder

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
)

// smallELF is a static aarch64 program of one segment, mapped flat where a bootstrap belongs. Another seed is another
// program of the same length; kind is e_type (2 for a program).
func smallELF(kind uint16, seed byte) []byte {
	const header, size = 64 + 56, 8192
	b := make([]byte, size)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], kind)
	le.PutUint16(b[18:], 183) // EM_AARCH64
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], 0x2000+header) // e_entry
	le.PutUint64(b[32:], 64)            // e_phoff
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	p := b[64:]
	le.PutUint32(p, 1)     // PT_LOAD
	le.PutUint32(p[4:], 5) // R+X
	le.PutUint64(p[16:], 0x2000)
	le.PutUint64(p[24:], 0x2000)
	le.PutUint64(p[32:], size)
	le.PutUint64(p[40:], size)
	le.PutUint64(p[48:], 0x1000)
	b[size-1] = seed
	return b
}

// imageInputs stores a stage of two programs and a bootstrap as the step that packs them finds it.
func imageInputs(t *testing.T, b *Builder, programs map[string][]byte) cas.Digest {
	t.Helper()
	put := func(text []byte) cas.Digest {
		t.Helper()
		d, err := b.store.PutBytes(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	m, tree := &manifest.Manifest{Recipe: "r", Target: b.o.Target}, cas.NewTree()
	for path, text := range programs {
		d := put(text)
		tree.Entries["root/"+path] = cas.Entry{Digest: d, Executable: true}
		m.Files = append(m.Files, manifest.File{Path: path, Mode: "0755", Size: d.Size, SHA256: d.Hash, Backend: "cranelift"})
	}
	m.Files = append(m.Files, manifest.File{Path: "bin/link", Mode: "0777", Link: "a"})
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	tree.Entries[manifest.FileName] = cas.Entry{Digest: put(text)}
	tree.Entries["bootstrap"] = cas.Entry{Digest: put(smallELF(2, 'B'))}
	root, err := b.store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func packed(t *testing.T, b *Builder, inputs cas.Digest) (cas.Digest, error) {
	t.Helper()
	job := &graph.Job{Action: &action.Action{Inputs: inputs}, Log: io.Discard, Status: func(string) {}}
	return b.packInitfs(t.Context(), job, initfs.V1, 1<<20)
}

func TestImageIsThatOfTheSameFilesInAFolder(t *testing.T) {
	b := newBuilder(t, nil)
	programs := map[string][]byte{"bin/a": smallELF(2, 'a'), "bin/b": smallELF(2, 'b'), "etc/empty": {}}
	out, err := packed(t, b, imageInputs(t, b, programs))
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := b.store.Lookup(out, ImageName)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.store.ReadAll(e.Digest)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, perm uint16, text []byte) *initfs.Node {
		return &initfs.Node{Name: name, Perm: perm, Content: initfs.Bytes(text)}
	}
	dir := func(name string, children ...*initfs.Node) *initfs.Node {
		return &initfs.Node{Name: name, Kind: initfs.Dir, Perm: 0o755, Children: children}
	}
	var want bytes.Buffer
	_, err = initfs.Write(t.Context(), &want, initfs.Spec{
		Version:   initfs.V1,
		Bootstrap: initfs.Bootstrap{Content: initfs.Bytes(smallELF(2, 'B')), Entry: 0x2000 + 64 + 56},
		Root: dir("", dir("bin", file("a", 0o755, programs["bin/a"]), file("b", 0o755, programs["bin/b"]),
			&initfs.Node{Name: "link", Kind: initfs.Link, Perm: 0o777, Target: "a"}), dir("etc", file("empty", 0o755, nil))),
	})
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes, want %d (%v)", len(got), want.Len(), err)
	}
	m, err := b.readManifest(out)
	if err != nil || m.Image.SHA256 != cas.DigestBytes(got).Hash || m.Image.Size != int64(len(got)) || m.Image.Entry != 0x2000+64+56 ||
		m.Image.BootstrapSHA256 != cas.DigestBytes(smallELF(2, 'B')).Hash || m.Image.BootstrapSize != 8192 {
		t.Errorf("%+v %v", m.Image, err)
	}
}

// A byte that was flipped in the store, with every time put back, does not get into an image, and is no mistake of the
// compiler's either: the blob goes, so that it is made again.
func TestFlippedProgramIsNotPacked(t *testing.T) {
	for name, flip := range map[string]int{"in its header": 18, "in its code": 5000} {
		for _, of := range [][]byte{smallELF(2, 'a'), smallELF(2, 'B')} {
			b := newBuilder(t, nil)
			inputs := imageInputs(t, b, map[string][]byte{"bin/a": smallELF(2, 'a')})
			path, err := b.store.Path(cas.DigestBytes(of))
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			text := bytes.Clone(of)
			text[flip] ^= 1
			if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, text, 0o644), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
			_, err = packed(t, b, inputs)
			var missing *cas.MissingError
			if !errors.As(err, &missing) || missing.Digest != cas.DigestBytes(of) {
				t.Errorf("%s: %v", name, err)
			}
			if b.store.Has(cas.DigestBytes(of)) {
				t.Errorf("%s: the damaged blob is still there", name)
			}
		}
	}
}

func TestProgramsThatBreakTheRulesMakeNoImage(t *testing.T) {
	b := newBuilder(t, nil)
	const shared, relocatable = 3, 1
	_, err := packed(t, b, imageInputs(t, b, map[string][]byte{
		"bin/a": smallELF(2, 'a'), "bin/bad": smallELF(shared, 'x'), "bin/worse": smallELF(relocatable, 'y'),
	}))
	if err == nil || !strings.Contains(err.Error(), "bin/bad") || !strings.Contains(err.Error(), "bin/worse") || strings.Contains(err.Error(), "bin/a:") {
		t.Errorf("got %v", err)
	}
	count := 0
	_ = b.store.Walk(func(d cas.Digest, _ os.FileInfo) error {
		if d.Size > 3*8192 {
			count++
		}
		return nil
	})
	if count > 0 {
		t.Error("the image was stored all the same")
	}
}

// Who describes an image need not have packed it: an action may come from elsewhere.
func TestImageSaysWhereItsBootstrapComesFrom(t *testing.T) {
	b := newBuilder(t, nil)
	n, err := b.Initfs("demo")
	if err != nil {
		t.Fatal(err)
	}
	put := func(files map[string][]byte) cas.Digest {
		t.Helper()
		tree := cas.NewTree()
		for name, text := range files {
			d, err := b.store.PutBytes(text)
			if err != nil {
				t.Fatal(err)
			}
			tree.Entries[name] = cas.Entry{Digest: d}
		}
		d, err := b.store.PutTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	text := func(m manifest.Manifest) []byte {
		t.Helper()
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	staged := []manifest.File{{Path: "etc/empty", Mode: "0644", Source: "https://h/x", Overridden: true}}
	made := graph.Outputs{}
	for _, d := range n.Deps {
		switch d.ID {
		case "demo/initfs":
			made[d] = put(map[string][]byte{ImageName: []byte("image"), manifest.FileName: text(manifest.Manifest{Image: &manifest.Image{Entry: 7}, Files: []manifest.File{{Path: "etc/empty"}}})})
		case "demo":
			made[d] = put(map[string][]byte{manifest.FileName: text(manifest.Manifest{Recipe: "demo", Files: staged}), "root/etc/empty": nil})
		default:
			made[d] = put(map[string][]byte{"bootstrap": smallELF(2, 'B')})
		}
	}
	out, err := n.Resolve(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.readManifest(out)
	if err != nil || m.Image.Bootstrap == nil || m.Image.Bootstrap.Recipe != "demo" || m.Image.Bootstrap.Backend != "cranelift" || m.Image.Entry != 7 || m.Recipe != "demo" {
		t.Errorf("%+v, %v", m.Image, err)
	}
	if diff := cmp.Diff(staged, m.Files); diff != "" {
		t.Error(diff)
	}
}

// What is packed is in the key of the step that packs it, and not where it comes from.
func TestAnImageIsPackedAgainForWhatIsInIt(t *testing.T) {
	b := newBuilder(t, nil)
	key := func(f manifest.File, content string) cas.Digest {
		t.Helper()
		d, err := b.store.PutBytes([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		f.Size, f.SHA256 = d.Size, d.Hash
		m, err := (&manifest.Manifest{Recipe: "r", Toolchain: f.Compiler, Files: []manifest.File{f}}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		text, err := b.store.PutBytes(m)
		if err != nil {
			t.Fatal(err)
		}
		tree := cas.NewTree()
		tree.Entries["root/bin/a"], tree.Entries[manifest.FileName] = cas.Entry{Digest: d, Executable: true}, cas.Entry{Digest: text}
		stage, err := b.store.PutTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		inputs, err := b.packingInputs(stage, cas.Entry{Digest: d})
		if err != nil {
			t.Fatal(err)
		}
		return inputs
	}
	was := key(manifest.File{Path: "bin/a", Mode: "0755", Recipe: "base", Source: "https://h/x at 1", Backend: "llvm", Reason: "one"}, "a")
	for name, test := range map[string]struct {
		file    manifest.File
		content string
		again   bool
	}{
		"overridden":     {manifest.File{Path: "bin/a", Mode: "0755", Source: "https://h/x at 1", Overridden: true}, "a", false},
		"another reason": {manifest.File{Path: "bin/a", Mode: "0755", Backend: "llvm", Reason: "two", Compiler: "rustc"}, "a", false},
		"another mode":   {manifest.File{Path: "bin/a", Mode: "0700"}, "a", true},
		"other bytes":    {manifest.File{Path: "bin/a", Mode: "0755"}, "b", true},
	} {
		if got := key(test.file, test.content); (got != was) != test.again {
			t.Errorf("%s: packed again is %v, want %v", name, got != was, test.again)
		}
	}
}
