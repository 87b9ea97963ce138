package execroot

import (
	"bytes"
	"context"
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

// writeScript keeps the command as a shell script beside the log. It begins in the same sandbox, with a /tmp that is gone when it ends.
// What is the user's own and may be a secret (a proxy's password) it takes from whoever calls it.
// ran says where the command ran when it was not here.
func (r *Runner) writeScript(ctx context.Context, c expanded, logPath, ran string) (string, error) {
	if logPath == "" {
		return "", nil
	}
	args, err := r.Sandbox.Script(ctx, c.dir, c.args, c.access)
	if err != nil {
		return "", err
	}
	path := scriptOf(logPath)
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!/bin/sh\n# Repeats the command of %s with the same environment.\n", filepath.Base(logPath))
	if ran != "" {
		fmt.Fprintf(&b, "# It ran on %s; this runs it here.\n", strings.Join(strings.Fields(ran), " "))
	}
	fmt.Fprintln(&b, r.folderLine())
	fmt.Fprintf(&b, "cd %s &&\nexec env -i \\\n", process.Quote([]string{c.dir}))
	for _, e := range c.env {
		fmt.Fprintf(&b, "  %s \\\n", process.Quote([]string{e}))
	}
	for _, e := range c.private {
		name, _, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "  ${%s+\"%s=$%s\"} \\\n", name, name, name)
	}
	fmt.Fprintf(&b, "  %s\n", process.Quote(args))
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
