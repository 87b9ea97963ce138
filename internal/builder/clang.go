package builder

import (
	"fmt"
	"strings"

	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// Clang is a C compiler that can compile for any target.
type Clang struct {
	// Path is the program, "" when there is none.
	Path string
	// Identity is what it says of its version: part of the digests of what it compiles.
	Identity string
	// Install is the command that brings one to this machine, where there is none.
	Install string
}

// NoClangError says that a component has C in it and there is nothing to compile it with.
type NoClangError struct{ Component, Install string }

func (e *NoClangError) Error() string {
	return fmt.Sprintf("%s has C in it and needs clang, which is not in PATH (neither clang nor clang-NN): `%s`", e.Component, e.Install)
}

// needClang is an error where a component has C in it and there is no C compiler.
func (b *Builder) needClang(component string) error {
	if b.o.Tools.Clang.Path == "" {
		return &NoClangError{component, b.o.Tools.Clang.Install}
	}
	return nil
}

// clangEnv is what the crate cc reads (CC_TRIPLE and its like), so that build scripts compile C for the
// target by clang, with the headers of the sysroot and none of this machine. What they compile for the
// host goes to the host's own cc: these variables do not name it.
func (b *Builder) clangEnv(triple string) (map[string]string, error) {
	flags, err := b.clangFlags(triple, "%{root}/sysroot/include")
	if err != nil {
		return nil, err
	}
	flags = append(flags, "-ffile-prefix-map=%{root}=/build", "-ffile-prefix-map="+crateFolder)
	suffix := "_" + strings.NewReplacer("-", "_", ".", "_").Replace(triple)
	return map[string]string{
		"CC" + suffix:     toolenv.Clang,
		"AR" + suffix:     toolenv.Ar,
		"CFLAGS" + suffix: strings.Join(flags, " "),
	}, nil
}

// clangFlags make clang compile for Redox with the headers of a folder.
func (b *Builder) clangFlags(triple, headers string) ([]string, error) {
	spec, err := targetspec.Load(b.o.Specs, triple)
	if err != nil {
		return nil, err
	}
	if spec.LLVMTarget == nil {
		return nil, fmt.Errorf("target %s has no llvm-target for clang", triple)
	}
	return []string{
		"--target=" + *spec.LLVMTarget,
		// Mainline clang has no word for Redox; its headers ask for this one.
		"-D__redox__",
		// Clang's own stdarg.h and the like stay, the machine's /usr/include does not.
		"-nostdlibinc", "-isystem", headers,
	}, nil
}
