package builder

import (
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// UserSpace is what programs of user space are compiled by and against, for whoever compiles without a recipe.
type UserSpace struct {
	// Std is the node of the prepared standard library, Sysroot that of a recipe's stage, in root/.
	Std, Sysroot *graph.Node
	// Spec is the target's JSON for the compiler in use.
	Spec    []byte
	Backend recipe.Backend
	// Flags are rustc's for programs, without places.
	Flags []string
}

// UserSpace makes the nodes for a set of the standard library and the recipe of a sysroot. who stands for it where a backend is chosen
// by name.
func (b *Builder) UserSpace(who, sysroot string, set recipe.Std) (u *UserSpace, err error) {
	u = &UserSpace{}
	anyone := &recipe.Recipe{Name: who}
	step := &recipe.Step{Name: "std", Kind: recipe.KindCargo}
	if u.Backend, err = b.available(anyone, step, b.choose(anyone, step, who)); err != nil {
		return nil, err
	}
	if u.Spec, err = b.spec(b.o.Target); err != nil {
		return nil, err
	}
	if u.Std, err = b.std(recipe.TargetUser, set, u.Backend); err != nil {
		return nil, err
	}
	if u.Sysroot, err = b.Stage(sysroot); err != nil {
		return nil, err
	}
	unstable, _ := b.jsonTargetFlags()
	u.Flags = append(append(unstable, backendFlags(u.Backend)...), sizeFlags(u.Backend)...)
	return u, nil
}
