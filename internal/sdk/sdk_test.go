package sdk

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
)

var kit = Kit{Triple: "arch-unknown-redox", Release: "1.94.0-nightly", Commit: "fcd6309", Channel: "nightly-2026-01-02", Flags: []string{"-Zunstable-options", "-Zx=y"}, Cranelift: true}

// made is the folder's tree, of a standard library and a sysroot with a file each.
func made(t *testing.T, k Kit) (*cas.Store, cas.Digest) {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	check(t, err)
	part := func(at, text string) cas.Digest {
		d, err := store.PutBytes([]byte(text))
		check(t, err)
		tree := cas.NewTree()
		tree.Entries[at] = cas.Entry{Digest: d}
		root, err := store.PutTree(tree)
		check(t, err)
		return root
	}
	root, err := k.Tree(store, Parts{Std: part("lib/rustlib/arch-unknown-redox/lib/libcore-1.rlib", "core"), Sysroot: part("lib/crt0.o", "crt"), Spec: []byte("{}")})
	check(t, err)
	return store, root
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place lays the folder out, in one with blanks in its name, and makes a toolchain whose programs print what they were called with.
func place(t *testing.T, k Kit) (folder, toolchain string) {
	t.Helper()
	store, root := made(t, k)
	folder, toolchain = filepath.Join(t.TempDir(), "my kit"), t.TempDir()
	check(t, store.Materialise(t.Context(), root, folder, nil, nil))
	check(t, os.Mkdir(filepath.Join(toolchain, "bin"), 0o755))
	const printer = "#!/bin/sh\n[ \"$1\" = -vV ] && printf 'rustc x\\ncommit-hash: fcd630976\\nrelease: 1.94.0-nightly\\n' && exit\nprintf '%s\\n' \"$@\"\n"
	for _, name := range []string{"rustc", "cargo"} {
		check(t, os.WriteFile(filepath.Join(toolchain, "bin", name), []byte(printer), 0o755))
	}
	return folder, toolchain
}

// run calls a script of the folder, with nothing in PATH but the system's and another folder.
func run(t *testing.T, script, toolchain, bin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), script, args...)
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
	if toolchain != "" {
		cmd.Env = append(cmd.Env, "REDOX_TOOLCHAIN="+toolchain)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheCompilerKnowsTheTargetWhereverTheFolderLies(t *testing.T) {
	folder, toolchain := place(t, kit)
	ours := "-Zunstable-options\n-Zx=y\n--sysroot\n" + folder + "\n-Lnative=" + folder + "/sysroot/lib\n"
	spec := folder + "/lib/rustlib/arch-unknown-redox/arch-unknown-redox.json"
	for args, want := range map[string]string{
		"--target arch-unknown-redox a.rs":                    ours + "--target\n" + spec + "\na.rs\n",
		"a.rs --target=arch-unknown-redox":                    ours + "a.rs\n--target=" + spec + "\n",
		"- --crate-name ___ --target arch-unknown-redox":      ours + "-\n--crate-name\n___\n--target\n" + spec + "\n",
		"--target arch-unknown-redox-kernel a.rs":             "--target\narch-unknown-redox-kernel\na.rs\n",
		"--crate-name build_script_build --cfg arch-unknown-": "--crate-name\nbuild_script_build\n--cfg\narch-unknown-\n",
	} {
		out, err := run(t, filepath.Join(folder, "libexec/rustc"), toolchain, "", strings.Fields(args)...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("%s\n%s", args, diff)
		}
	}
	out, err := run(t, filepath.Join(folder, "bin/cargo"), toolchain, "", "build", "a b")
	if diff := cmp.Diff("--config\n"+folder+"/cargo/config.toml\nbuild\na b\n", out); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestAnotherCompilerIsRefusedAtCargosFirstQuestion(t *testing.T) {
	other := kit
	other.Commit = "0123456"
	folder, toolchain := place(t, other)
	out, err := run(t, filepath.Join(folder, "libexec/rustc"), toolchain, "", "-", "--crate-name", "___", "--target", "arch-unknown-redox")
	if err == nil || !strings.Contains(out, "this SDK is for rustc 1.94.0-nightly (0123456), and "+toolchain+"/bin has another: rustc x") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheCompilerIsRustupsOrNamed(t *testing.T) {
	folder, toolchain := place(t, kit)
	rustup := t.TempDir()
	script := "#!/bin/sh\n[ \"$*\" = 'which --toolchain nightly-2026-01-02 rustc' ] && echo " + toolchain + "/bin/rustc\n"
	check(t, os.WriteFile(filepath.Join(rustup, "rustup"), []byte(script), 0o755))
	if out, err := run(t, filepath.Join(folder, "bin/cargo"), "", rustup, "build"); err != nil || !strings.HasSuffix(out, "build\n") {
		t.Errorf("%v\n%s", err, out)
	}
	for channel, want := range map[string]string{
		"nightly-2026-01-02": "rustup toolchain install --profile minimal nightly-2026-01-02`, or name the folder",
		"":                   "(fcd6309): name the folder of that toolchain, REDOX_TOOLCHAIN=DIR",
	} {
		k := kit
		k.Channel = channel
		folder, _ := place(t, k)
		none := t.TempDir()
		check(t, os.WriteFile(filepath.Join(none, "rustup"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
		if out, err := run(t, filepath.Join(folder, "bin/cargo"), "", none, "build"); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func TestNothingInTheFolderNamesAPlace(t *testing.T) {
	store, root := made(t, kit)
	tree, err := store.LoadTree(root)
	check(t, err)
	for p, e := range tree.Entries {
		if e.Dir {
			continue
		}
		text, err := store.ReadAll(e.Digest)
		check(t, err)
		for _, place := range []string{store.Dir(), os.TempDir(), "<no value>"} {
			if strings.Contains(string(text), place) {
				t.Errorf("%s has %s:\n%s", p, place, text)
			}
		}
	}
	if !tree.Entries["bin/cargo"].Executable || tree.Entries["sysroot/lib/crt0.o"].Digest.Size != 3 {
		t.Errorf("%v", tree.Paths())
	}
	if tree.Entries["lib/rustlib/arch-unknown-redox/arch-unknown-redox.json"].Digest != cas.DigestBytes([]byte("{}")) {
		t.Error("the target spec is not where the script looks for it")
	}
}

func TestTheSameTreeGivesTheSameFile(t *testing.T) {
	store, root := made(t, kit)
	file := filepath.Join(t.TempDir(), "redox-sdk.tar.gz")
	check(t, Pack(t.Context(), store, root, file))
	first, err := os.ReadFile(file)
	check(t, err)
	check(t, Pack(t.Context(), store, root, file))
	second, err := os.ReadFile(file)
	check(t, err)
	if string(first) != string(second) {
		t.Error("the bytes differ")
	}
	f, err := os.Open(file)
	check(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(t, err)
	modes := map[string]int64{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		modes[h.Name] = h.Mode
	}
	if modes["redox-sdk/bin/cargo"] != 0o755 || modes["redox-sdk/README.md"] != 0o644 {
		t.Errorf("%v", modes)
	}
	for _, name := range []string{"sdk.zip", ".tar.gz", "sdk"} {
		if CheckName(name) == nil || Pack(t.Context(), store, root, filepath.Join(t.TempDir(), name)) == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
