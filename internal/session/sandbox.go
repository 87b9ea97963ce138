package session

import (
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/sandbox"
)

// sandbox is what the processes of steps begin in.
func (s *Session) sandbox(tools builder.Tools, around Surroundings) (*sandbox.Sandbox, error) {
	mode, err := sandbox.ParseMode(s.Config.Sandbox)
	if err != nil {
		return nil, err
	}
	hidden := []string{s.Config.Root, s.Config.Cache}
	if s.Config.Home != "" && s.Config.Home != "/" {
		hidden = append(hidden, s.Config.Home)
	}
	return sandbox.New(sandbox.Settings{
		Mode: mode, Look: s.LookPath, Reenter: s.Reenter, Hidden: hidden,
		ReadOnly: append(s.foldersOf(tools), around.Files...),
		Notice:   func(line string) { s.Say("%s", line) },
	}), nil
}

// ProbeSandbox tries the sandbox of this host.
func (s *Session) ProbeSandbox() *sandbox.Sandbox {
	return sandbox.New(sandbox.Settings{Look: s.LookPath, Reenter: s.Reenter})
}

// Git is the git that fetches, with the user's settings. It may write only to the folders.
func (s *Session) Git(writable ...string) git.Git {
	return git.Git{Env: s.Config.GitEnv(), Fence: s.fence(writable...)}
}

func (s *Session) fence(writable ...string) sandbox.Fence {
	mode, err := sandbox.ParseMode(s.Config.Sandbox)
	if err != nil {
		mode = sandbox.Auto // what builds says it
	}
	return sandbox.New(sandbox.Settings{Mode: mode, Look: s.LookPath, Reenter: s.Reenter}).Fence(writable...)
}

// foldersOf are where the tools lie with all that belongs to them: the toolchain, and the installations of those that are only
// linked into it (an LLVM of the system's) or are none of it (clang).
func (s *Session) foldersOf(tools builder.Tools) []string {
	var all []string
	if tools.BinDir != "" {
		all = append(all, filepath.Dir(tools.BinDir))
	}
	for _, tool := range []string{tools.Rustc, tools.Cargo, tools.LLD, tools.Archive, tools.Clang.Path} {
		if real, err := filepath.EvalSymlinks(tool); err == nil && tool != "" {
			all = append(all, s.installation(filepath.Dir(real)), tool)
		}
	}
	if tools.RustSrc != "" {
		all = append(all, tools.RustSrc)
	}
	return all
}

// installation is the folder above bin/, unless that is one in which people keep other things.
func (s *Session) installation(bin string) string {
	above := filepath.Dir(bin)
	holds := func(dir string) bool {
		return dir == above || strings.HasPrefix(dir, strings.TrimSuffix(above, "/")+"/")
	}
	if filepath.Base(bin) != "bin" || holds(s.Config.Home) || holds(s.Config.Root) || holds(s.Config.Cache) {
		return bin
	}
	return above
}
