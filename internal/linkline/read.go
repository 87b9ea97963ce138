package linkline

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// linkable are the endings of what a linker takes from a folder, or what its scripts include from there. A bare name
// with another one is no file: "gnu" after -flavor, "muldefs" after -z.
var linkable = []string{".a", ".o", ".lib", ".obj", ".so", ".ld", ".lds", ".x"}

// reader makes a line of a recording.
type reader struct {
	Place
	dir    string // that the linker would have run in
	args   []string
	kept   string            // the folder of what the recorder copied
	search []string          // folders for libraries and scripts, absolute
	files  map[string]string // of the line
	names  map[string]string // in files, by where they lie
}

func (r *reader) read() (*Line, error) {
	for i := range r.args {
		switch w := r.word(i); w.kind {
		case output:
			r.kept = r.absolute(w.path) + ".link"
		case search:
			r.search = append(r.search, r.absolute(w.path))
		}
	}
	if r.kept == "" {
		return nil, errors.New("the recorded arguments of the linker name no output")
	}
	line := &Line{Files: r.files}
	for i := range r.args {
		arg, err := r.argument(i)
		if err != nil {
			return nil, err
		}
		line.Args = append(line.Args, arg)
	}
	return line, nil
}

// argument is one argument as it is when the line is linked.
func (r *reader) argument(i int) (string, error) {
	w := r.word(i)
	switch w.kind {
	case output:
		return w.option + Root + "/" + path.Join(OutFolder, r.Output), nil
	case search:
		folder, err := r.folder(r.absolute(w.path))
		return w.option + folder, err
	case none:
		return r.anywhere(w.option), nil
	}
	if file, ok := r.file(i, w); ok {
		return w.option + file, nil
	}
	if r.isGone(w.path) {
		return "", &GoneError{Path: w.path}
	}
	return w.option + r.anywhere(w.path), nil
}

// isGone tells whether a path was a file of rustc's when the line was recorded.
func (r *reader) isGone(at string) bool {
	ext := path.Ext(at)
	return strings.HasPrefix(at, r.Root+"/") && (ext == ".o" || ext == ".rlib")
}

// GoneError says that a file which was there when the line was recorded, or the copy that the recorder made of it, is not
// there any more.
type GoneError struct{ Path string }

func (e *GoneError) Error() string { return e.Path + ", which a program is linked of, is gone" }

// file is the name of the file that an argument is about, if it is about one.
func (r *reader) file(i int, w word) (string, bool) {
	if copied := filepath.Join(r.kept, strconv.Itoa(i+1)); isFile(copied) {
		return r.take(copied, path.Base(w.path)), true
	}
	if filepath.IsAbs(w.path) {
		if name, ok := r.given(w.path); ok {
			return name, true
		}
		return r.take(w.path, path.Base(w.path)), isFile(w.path)
	}
	if !slices.Contains(linkable, path.Ext(w.path)) {
		return "", false
	}
	for _, dir := range append([]string{r.dir}, r.search...) {
		if at := filepath.Join(dir, w.path); isFile(at) {
			return r.take(at, path.Base(at)), true
		}
	}
	return "", false
}

// take makes a file part of the line, and returns its path.
func (r *reader) take(at, name string) string {
	if !isFile(at) {
		return ""
	}
	if r.names[at] == "" {
		for n := 1; r.files[name] != ""; n++ {
			name = path.Join(strconv.Itoa(n), path.Base(name))
		}
		r.names[at], r.files[name] = name, at
	}
	return Root + "/" + path.Join(InFolder, r.names[at])
}

// folder takes what is linkable in a folder that is searched for libraries, and returns its path. One that is not there is
// no error to a linker.
func (r *reader) folder(dir string) (string, error) {
	if name, ok := r.given(dir); ok {
		return name, nil
	}
	name := fmt.Sprintf("L%d", slices.Index(r.search, dir))
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, e := range found {
		if at := filepath.Join(dir, e.Name()); slices.Contains(linkable, path.Ext(e.Name())) && isFile(at) {
			r.files[path.Join(name, e.Name())] = at
		}
	}
	return Root + "/" + path.Join(InFolder, name), nil
}

// given is the path of what will be there when the line is linked.
func (r *reader) given(at string) (string, bool) {
	for _, name := range r.Given {
		dirs := []string{filepath.Join(r.Root, name)}
		if real, err := filepath.EvalSymlinks(dirs[0]); err == nil {
			dirs = append(dirs, real)
		}
		for _, dir := range dirs {
			if below, ok := strings.CutPrefix(at+"/", dir+"/"); ok {
				return Root + "/" + path.Join(name, below), true
			}
		}
	}
	return "", false
}

// anywhere takes the places of this recording out of a text.
func (r *reader) anywhere(text string) string {
	return temporary.ReplaceAllString(strings.ReplaceAll(text, r.Root+"/", Root+"/"), "/rustc/")
}

// temporary is the name of a folder that rustc makes for one link.
var temporary = regexp.MustCompile(`/rustc[[:alnum:]]{6}/`)

func (r *reader) absolute(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// word is an argument: the option in it, as far as it is in the same argument, and its path.
type word struct {
	kind         kind
	option, path string
}

// kind is what an argument's path is.
type kind int

const (
	none   kind = iota // there is no path
	input              // it may be a file that the linker reads
	output             // the program
	search             // a folder to look for libraries in
)

// spellings are the options whose value is known to be a path, in the words of GNU linkers (which also take the value
// as an argument of its own) and of Microsoft's.
var spellings = map[string]kind{"-o": output, "-L": search, "-T": input, "/OUT:": output, "/LIBPATH:": search}

// microsofts is an option of lld-link with its value.
var microsofts = regexp.MustCompile(`^/[A-Z]+:`)

func (r *reader) word(i int) word {
	arg := r.args[i]
	if i > 0 && !strings.HasSuffix(r.args[i-1], ":") {
		if k, ok := spellings[r.args[i-1]]; ok {
			return word{k, "", arg}
		}
	}
	if option := microsofts.FindString(arg); option != "" {
		return word{max(spellings[option], input), option, arg[len(option):]}
	}
	if !strings.HasPrefix(arg, "-") {
		return word{input, "", arg}
	}
	if len(arg) > 2 && spellings[arg[:2]] != none {
		return word{spellings[arg[:2]], arg[:2], arg[2:]}
	}
	if option, value, ok := strings.Cut(arg, "="); ok {
		return word{input, option + "=", value}
	}
	return word{none, arg, ""}
}
