package execroot

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	path := strings.TrimSuffix(logPath, ".log") + ".sh"
	r.keepOther(path)
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!/bin/sh\n# Repeats the command of %s with the same environment.\n%s\n", filepath.Base(logPath), r.folderLine())
	fmt.Fprintf(&b, "cd %s &&\nexec env -i \\\n", process.Quote([]string{c.dir}))
	for _, e := range c.env {
		fmt.Fprintf(&b, "  %s \\\n", process.Quote([]string{e}))
	}
	fmt.Fprintf(&b, "  %s\n", process.Quote(c.args))
	return path, os.WriteFile(path, b.Bytes(), 0o700)
}

func (r *Runner) folderLine() string { return fmt.Sprintf("%s%q", folderLine, r.Dir) }

// keepOther moves a script away that a build with another cache has written: the folder it works in is still there. It gets
// that cache's name, STEP.1a2b3c4d.sh, until its cache is used again. That it cannot is no failure of the build's.
func (r *Runner) keepOther(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, folderLine) && line != r.folderLine() {
			_ = os.Rename(path, ofCache(path, line))
			break
		}
	}
	_ = os.Remove(ofCache(path, r.folderLine()))
}

// ofCache is the name of the script whose folder line is given, beside that of the cache in use.
func ofCache(path, folder string) string {
	sum := sha256.Sum256([]byte(folder))
	return fmt.Sprintf("%s.%x.sh", strings.TrimSuffix(path, ".sh"), sum[:4])
}
