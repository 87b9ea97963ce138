package session

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/hostpackage"
)

// Distributions name clang by its major version too. Older ones lack the driver flags that are used.
const newestClang, oldestClang = 40, 14

// clang finds the C compiler for C in crates, the newest first when there is none without a number.
func (s *Session) clang(ctx context.Context) builder.Clang {
	names := []string{"clang"}
	for n := newestClang; n >= oldestClang; n-- {
		names = append(names, fmt.Sprintf("clang-%d", n))
	}
	for _, name := range names {
		path := s.LookPath(name)
		if path == "" {
			continue
		}
		version, err := s.clangVersion(ctx, path)
		if err != nil {
			continue
		}
		return builder.Clang{Path: path, Identity: version}
	}
	return builder.Clang{Install: hostpackage.Clang.Install(hostpackage.Here())}
}

// clangVersion is what a clang says of its version. Asking takes 20 ms of every build, so the answer is kept with what
// stat says of the program. A dispatcher (ccache, or the compilers' front of macOS) stays the same when what it starts is another; it
// is asked each time.
func (s *Session) clangVersion(ctx context.Context, path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(real, &st); err != nil {
		return "", err
	}
	if runtime.GOOS != "linux" || !strings.HasPrefix(filepath.Base(real), "clang") {
		return s.askClang(ctx, path)
	}
	stamp := fmt.Sprintln(real, st.Size, st.Ino, st.Mtim.Nano(), st.Ctim.Nano())
	kept := filepath.Join(s.Config.Toolchains(), "clang")
	if text, err := atomicfile.ReadSummed(kept); err == nil {
		if version, ok := strings.CutPrefix(string(text), stamp); ok {
			return strings.TrimSpace(version), nil
		}
	}
	version, err := s.askClang(ctx, path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err == nil {
		_ = atomicfile.WriteSummed(kept, []byte(stamp+version+"\n"), 0o644) // without it clang is asked again
	}
	return version, nil
}

func (s *Session) askClang(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = s.ToolEnv()
	out, err := cmd.Output()
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first), err
}
