//go:build mage

package main

// Aliases give the main thing of a namespace its short name.
var Aliases = map[string]any{
	// Generated from recipes/ by "go generate ./internal/recipe/gen", up to the next mark.
	"recipe:bootloader-live":     Recipe.BootloaderLive,
	"recipe:demo-sysroot":        Recipe.DemoSysroot,
	"recipe:difftest-defects":    Recipe.DifftestDefects,
	"recipe:difftest-sysroot":    Recipe.DifftestSysroot,
	"recipe:ion-host":            Recipe.IonHost,
	"recipe:libc-coreutils":      Recipe.LibcCoreutils,
	"recipe:libc-ion":            Recipe.LibcIon,
	"recipe:modetest-calls":      Recipe.ModetestCalls,
	"recipe:redoxfs-host":        Recipe.RedoxfsHost,
	"recipe:redoxfs-tool":        Recipe.RedoxfsTool,
	"recipe:relibc-headers":      Recipe.RelibcHeaders,
	"recipe:relibc-tests":        Recipe.RelibcTests,
	"recipe:relibc-tests-runner": Recipe.RelibcTestsRunner,
	// End of what is generated.
	"drift":  Drift.Check,
	"image":  Image.Build,
	"initfs": Initfs.Build,
}
