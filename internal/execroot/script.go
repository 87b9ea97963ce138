package execroot

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/process"
)

// folderLine begins the line of a script that names the folder of all exec roots, quoted.
const folderLine = "# Exec roots: "

// writeScript keeps the command as a shell script beside the log. Only its owner may read it: a proxy's
// password may be among the settings.
func (r *Runner) writeScript(c expanded, logPath string) (string, error) {
	if logPath == "" {
		return "", nil
	}
	path := scriptOf(logPath)
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!/bin/sh\n# Repeats the command of %s with the same environment.\n%s\n", filepath.Base(logPath), r.folderLine())
	fmt.Fprintf(&b, "cd %s &&\nexec env -i \\\n", process.Quote([]string{c.dir}))
	for _, e := range c.env {
		fmt.Fprintf(&b, "  %s \\\n", process.Quote([]string{e}))
	}
	fmt.Fprintf(&b, "  %s\n", process.Quote(c.args))
	return path, atomicfile.Write(path, b.Bytes(), 0o700)
}

func (r *Runner) folderLine() string { return fmt.Sprintf("%s%q", folderLine, r.Dir) }

func scriptOf(logPath string) string { return strings.TrimSuffix(logPath, ".log") + ".sh" }

// KeepOther moves log and script of a step away that a build with another cache has written: the folder it worked in is still there. They get
// that cache's name, STEP.1a2b3c4d.log, until its cache is used again. It is the script that tells whose they are, so the log of a step that
// ran no command is not kept. That they cannot be moved is no failure of the build's.
func (r *Runner) KeepOther(logPath string) {
	text, err := cachefile.Read(scriptOf(logPath))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, folderLine) && line != r.folderLine() {
			kept := ofCache(logPath, line)
			_ = os.Rename(logPath, kept)
			_ = os.Rename(scriptOf(logPath), scriptOf(kept))
			break
		}
	}
	ours := ofCache(logPath, r.folderLine())
	_, _ = os.Remove(ours), os.Remove(scriptOf(ours))
}

// ofCache is the name of the log beside that of the cache in use, for the cache whose folder line is given.
func ofCache(logPath, folder string) string {
	sum := sha256.Sum256([]byte(folder))
	return fmt.Sprintf("%s.%x.log", strings.TrimSuffix(logPath, ".log"), sum[:4])
}
