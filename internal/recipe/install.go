package recipe

import (
	"maps"
	"path"
	"slices"
	"strconv"
)

// none, where a name is the default, says that there is to be none.
const none = "none"

// defaultSysroot is the recipe that user steps are linked against.
const defaultSysroot = "sysroot"

// fill writes out what the recipe leaves to defaults that depend on other keys.
func (r *Recipe) fill() {
	for i := range r.Steps {
		switch s := &r.Steps[i]; {
		case s.Sysroot == none:
			s.Sysroot = ""
		case s.Sysroot == "" && s.IsUser():
			s.Sysroot = defaultSysroot
		}
	}
	r.Files = r.filled(r.Files, r.Install)
	r.fillSets()
}

// filled are the files of both forms, which the file says below a key.
func (r *Recipe) filled(files []File, install map[string][]string, key ...string) []File {
	for i := range files {
		files[i].key = slices.Concat(key, []string{"file", strconv.Itoa(i)})
	}
	for _, to := range slices.Sorted(maps.Keys(install)) {
		if !isFolder(to) {
			continue // checkInstall says so, once
		}
		for i, from := range install[to] {
			files = append(files, File{From: from, To: path.Join(to, path.Base(from)), key: slices.Concat(key, []string{"install", to, strconv.Itoa(i)})})
		}
	}
	for i := range files {
		switch f := &files[i]; {
		case f.Strip == StripNone:
			f.Strip = ""
		case f.Strip == "" && r.isUserProgram(f.From):
			f.Strip = StripAll
		}
	}
	return files
}

// isUserProgram tells whether a reference is to a program of a user step.
func (r *Recipe) isUserProgram(from string) bool {
	ref, err := ParseRef(from)
	if err != nil || ref.Recipe != "" {
		return false
	}
	s, ok := r.Step(ref.Step)
	return ok && s.Kind == KindCargo && s.IsUser() && s.makes(ref.Path)
}

// at is the place of the file's own key in the recipe's file.
func (f *File) at(key string) []string { return slices.Concat(f.key, []string{key}) }

// checkFiles checks both forms.
func (r *Recipe) checkFiles() []fault {
	return slices.Concat(checkInstall(r.Install, false), checkPlaces(r.Files, map[string]File{}))
}

func isFolder(to string) bool { return to != "" && validPath(to) }

// checkInstall finds what is wrong in [install] itself. A folder may be empty where that takes away what is in it otherwise.
func checkInstall(install map[string][]string, mayBeEmpty bool) []fault {
	var faults []fault
	for _, to := range slices.Sorted(maps.Keys(install)) {
		if !isFolder(to) {
			faults = append(faults, at("install", to)("%q is no folder inside the stage, like \"usr/bin\"", to))
		}
		if len(install[to]) == 0 && !mayBeEmpty {
			faults = append(faults, at("install", to)("%q has no files: leave it out", to))
		}
		for i, from := range install[to] {
			if ref, err := ParseRef(from); err == nil && ref.Path == "" {
				faults = append(faults, at("install", to, strconv.Itoa(i))("%q names no file, and a whole folder is for [[file]]", from))
			}
		}
	}
	return faults
}

// checkPlaces checks files, of which no two can be at one place of the stage.
func checkPlaces(files []File, placed map[string]File) []fault {
	var faults []fault
	for i := range files {
		f := &files[i]
		if other, twice := placed[f.To]; twice {
			faults = append(faults, at(f.at("to")...)("two files are placed at %s: this one, and %q before it", f.To, other.From))
		}
		placed[f.To] = *f
		faults = append(faults, below(f.check(), f.key...)...)
	}
	return faults
}
