package linkline

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What stands for the script where there is no shell leaves what the script leaves.
func TestTheRecorderWithoutAShellIsTheSame(t *testing.T) {
	for name, args := range map[string][]string{
		"a program":             {"-flavor", "gnu", "crt0.o", "D/deps/x.o", "D/deps/libx.rlib", "-o", "D/program"},
		"files of rustc":        {"D/rustcAbCdEf/symbols.o", "--version-script=D/rustcAbCdEf/list", "-L", "D/rustcAbCdEf/raw-dylibs", "D/rustcAbCdEf/gone.o", "-o", "D/program"},
		"Microsoft's":           {"/DEF:D/rustcAbCdEf/lib.def", "/OUT:D/program", "D/deps/x.o"},
		"arguments from a file": {"@D/arguments", "-o", "D/program"},
		"it was there before":   {"-o", "D/old", "D/deps/x.o"},
		"no output":             {"D/deps/x.o"},
	} {
		t.Run(name, func(t *testing.T) {
			var left [2]map[string]string
			for i := range left {
				dir := filepath.Join(newRoot(t), "t")
				files(t, dir, "deps/x.o", "deps/libx.rlib", "rustcAbCdEf/symbols.o", "rustcAbCdEf/list", "rustcAbCdEf/lib.def", "rustcAbCdEf/raw-dylibs/x", "old", "old.link/7")
				in := func(arg string) string { return strings.Replace(arg, "D/", dir+"/", 1) }
				escape := strings.NewReplacer(`\`, `\\`, " ", `\ `)
				lines := escape.Replace(in("D/deps/x.o")) + "\n" + `a\ b\\c` + "\n-z\nlast"
				if err := os.WriteFile(filepath.Join(dir, "arguments"), []byte(lines), 0o644); err != nil {
					t.Fatal(err)
				}
				var given []string
				for _, arg := range args {
					given = append(given, in(arg))
				}
				failed := recordBy(t, i == 0, dir, given)
				left[i] = map[string]string{"failed": failed}
				for _, pattern := range []string{"program", "old", "*.link/*"} {
					found, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
					if err != nil {
						t.Fatal(err)
					}
					for _, file := range found {
						text, err := os.ReadFile(file)
						if err != nil {
							t.Fatal(err)
						}
						left[i][strings.TrimPrefix(file, dir)] = strings.ReplaceAll(string(text), dir, "D")
					}
				}
			}
			if diff := cmp.Diff(left[0], left[1]); diff != "" || len(left[0]) < 2 {
				t.Errorf("the script left %v\n%s", left[0], diff)
			}
		})
	}
}

func escapeGlob(dir string) string { return strings.NewReplacer("[", `\[`, "]", `\]`).Replace(dir) }

// recordBy records a line by the script or without, and tells whether that failed.
func recordBy(t *testing.T, script bool, dir string, args []string) (failed string) {
	t.Helper()
	var err error
	if script {
		recorder := filepath.Join(t.TempDir(), RecorderName)
		if err := os.WriteFile(recorder, Recorder, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", append([]string{recorder}, args...)...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
		err = cmd.Run()
	} else {
		t.Chdir(dir)
		err = Record(args)
	}
	if err != nil {
		return "yes"
	}
	return "no"
}
