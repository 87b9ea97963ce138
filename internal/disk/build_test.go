package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

func TestMake(t *testing.T) {
	b := smallBuild(t)
	path := filepath.Join(t.TempDir(), "small.img")
	if _, err := b.Make(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	checkTable(t, path)
	checkLoader(t, path, b.Loader)
	v, err := Volume(b.Tool, path)
	if err != nil {
		t.Fatal(err)
	}
	if v.Offset != 2<<20 || (v.Offset+v.Length)%mib != 0 {
		t.Errorf("RedoxFS at %d with %d bytes", v.Offset, v.Length)
	}
	for path, want := range map[string]string{
		"/etc/hostname": "test\n", "/etc/passwd": "root;0;0;root;/root;/bin/sh\n", "/etc/shadow": "root;\n", "/etc/group": "root;x;0;root\n",
	} {
		var got bytes.Buffer
		if err := v.Cat(t.Context(), path, &got); err != nil || got.String() != want {
			t.Errorf("%s is %q, %v", path, got.String(), err)
		}
	}
	for path, mode := range map[string]uint16{"/etc/shadow": 0o600, "/root": 0o700, "/tmp": 0o1777, "/boot/kernel": 0o644, "/usr/lib/boot/initfs": 0o644, "/usr/lib": 0o755} {
		if n, err := v.Stat(t.Context(), path, false); err != nil || n.Mode != mode || n.MTime != 0 {
			t.Errorf("%s: %+v %v", path, n, err)
		}
	}
	if info, err := os.Stat(path); err != nil || allocated(info) > 5*mib {
		t.Errorf("the image takes %d bytes on the disk", allocated(info))
	}
	tidy(t, path)
}

func checkTable(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, sector, sector)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Verify(f, 12*mib); err != nil {
		t.Error(err)
	}
	want := []struct {
		name       string
		start, end uint64
	}{{"BIOS", 34, 2047}, {"EFI", 2048, 4095}, {"REDOX", 4096, 22527}}
	for i, p := range table.Partitions {
		if w := want[i]; p.Name != w.name || p.Start != w.start || p.End != w.end {
			t.Errorf("partition %d: %s %d-%d, want %v", i+1, p.Name, p.Start, p.End, w)
		}
	}
}

func checkLoader(t *testing.T, path, loader string) {
	t.Helper()
	disk, err := file.OpenFromPath(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	fs, err := fat12.Read(disk, mib, mib, sector)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fs.ReadFile("/EFI/BOOT/BOOTAA64.EFI")
	want, _ := os.ReadFile(loader)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("loader: %d bytes, %v", len(got), err)
	}
}

func TestMakeIsDeterministic(t *testing.T) {
	b := smallBuild(t)
	one, two := filepath.Join(t.TempDir(), "one.img"), filepath.Join(t.TempDir(), "two.img")
	if _, err := b.Make(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // FAT counts in two seconds
	if _, err := b.Make(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(one)
	again, _ := os.ReadFile(two)
	for i := range a {
		if a[i] != again[i] {
			t.Fatalf("two images of the same inputs differ from byte %#x on", i)
		}
	}
	if _, err := b.Make(t.Context(), two); !errors.Is(err, ErrUnchanged) {
		t.Errorf("made again: %v", err)
	}
}

func TestMakeFails(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Build)
		want string
	}{
		{"full", func(b *Build) { b.Contents = append(b.Contents, put("/zz", randomFile(t, 4, 11<<20))) }, "raise size-mib"},
		{"loader too large", func(b *Build) { b.Loader = randomFile(t, 5, 1<<20) }, "raise efi-mib"},
		{"no tool", func(b *Build) { b.Tool += "x" }, "no such file"},
		{"no loader", func(b *Build) { b.Loader += "x" }, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, path := make1(t)
			before := fileSum(t, path)
			b := smallBuild(t)
			tt.edit(b)
			if _, err := b.Make(t.Context(), path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if fileSum(t, path) != before {
				t.Error("the old image was changed")
			}
			tidy(t, path)
		})
	}
}

func TestMakeKeepsTheOldOne(t *testing.T) {
	b := smallBuild(t)
	tool, path := make1(t)
	before := fileSum(t, path)
	b.Contents = append(b.Contents, redoxfs.Op{Op: redoxfs.OpFile, Path: "/zz", Text: ptr("new")})
	if _, err := b.Make(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	e := openEditor(t, tool, path)
	all, err := e.Snapshots()
	if err != nil || len(all) != 1 || fileSum(t, filepath.Join(e.snapshotDir(), all[0].Name)) != before {
		t.Errorf("snapshots %v, %v", all, err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"size-mib = 4":                         "too few",
		"size-mib = 64\nefi-mib = 40":          "1 to 32",
		"size-mib = 64\nsiez = 1":              "siez",
		"size-mib = 64\nhostname = \"a b\"":    "hostname",
		"size-mib = 64\nuuid = \"12\"":         "UUID",
		"size-mib = 64\n[[file]]\nto = \"/a\"": "exactly one of from, text",
		"size-mib = 64\n[[user]]\nname = \"A\"\nhome = \"/\"\nshell = \"/s\"":                        "no name",
		"size-mib = 64\n[[dir]]\npath = \"/a\"\nmode = \"999\"":                                      "octal",
		"size-mib = 64\n[[user]]\nname = \"a\"\nhome = \"/\"\nshell = \"/s\"\npassword = \"secret\"": "password",
		"size-mib = 64\n[[user]]\nname = \"a\"\nhome = \"/;\"\nshell = \"/s\"\npassword = \"!\"":     "semicolon",
		"size-mib = 64\n[[user]]\nname = \"a\"\npassword = \"!\"":                                    `"user.0.home" is missing`,
		"size-mib = 64\n[[group]]\nname = \"a b\"\ngid = 1":                                          "group",
		"size-mib = 64\ntime = -1": "before 1970",
	}
	for text, want := range tests {
		if _, err := Parse("x", "x.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestContentsRefuses(t *testing.T) {
	tests := map[string]string{
		"[[file]]\nto = \"/a\"\ntext = \"\"\n[[file]]\nto = \"/a\"\ntext = \"\"":                   "placed by",
		"[[file]]\nto = \"a\"\ntext = \"\"":                                                        "no absolute path",
		"[[file]]\nto = \"/a\"\ntext = \"\"\n[[dir]]\npath = \"/a/b\"":                             "no directory",
		"[[link]]\npath = \"/bin\"\ntarget = \"/usr/bin\"\n[[file]]\nto = \"/bin/a\"\ntext = \"\"": "a link to /usr/bin: write /usr/bin/a",
		"[[file]]\nto = \"/a\"\nfrom = \"nowhere\"":                                                "nowhere",
		"[[tree]]\nfrom = \"nowhere\"":                                                             "nowhere",
		"[boot]\nkernel = \"nowhere\"":                                                             "nowhere",
	}
	for text, want := range tests {
		d, err := Parse("x", "x.toml", []byte("size-mib = 64\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Contents(t.Context(), nowhere); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// An image given another boot loader is the image built with that one, byte for byte.
func TestSetLoader(t *testing.T) {
	b := smallBuild(t)
	path, want := filepath.Join(t.TempDir(), "small.img"), filepath.Join(t.TempDir(), "want.img")
	if _, err := b.Make(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	b.Loader = randomFile(t, 9, 50_000)
	if _, err := b.Make(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := SetLoader(path, b.LoaderName, b.Loader, b.Description.time()); err != nil {
		t.Fatal(err)
	}
	checkLoader(t, path, b.Loader)
	if fileSum(t, path) != fileSum(t, want) {
		t.Error("other bytes than an image built with that loader")
	}
	before := fileSum(t, path)
	if err := SetLoader(path, b.LoaderName, randomFile(t, 9, 2_000_000), b.Description.time()); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("a loader of 2 MB: %v", err)
	}
	if err := SetLoader(path, b.LoaderName, path+".no", b.Description.time()); err == nil {
		t.Error("a loader that is not there was accepted")
	}
	if fileSum(t, path) != before {
		t.Error("a refused loader changed the image")
	}
	if err := SetLoader(randomFile(t, 9, 1_000_000), b.LoaderName, b.Loader, b.Description.time()); err == nil {
		t.Error("an image without a table was accepted")
	}
}
