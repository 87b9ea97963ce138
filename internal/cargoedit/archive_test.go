package cargoedit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file is one of the files of a .txtar in testdata: a line "-- name --" and
// its content up to the next one.
type file struct{ name, text string }

func parse(t *testing.T, name string) []file {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n") {
			files = append(files, file{name: line[3 : len(line)-4]})
			continue
		}
		files[len(files)-1].text += line
	}
	return files
}

func format(comment string, files []file) string {
	for _, f := range files {
		comment += "-- " + f.name + " --\n" + f.text
	}
	return comment
}

// extract writes the files below a new folder and returns it.
func extract(t *testing.T, files []file) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(f.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
