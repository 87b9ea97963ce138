package front

import (
	"strings"

	"github.com/pannous/redox-clif/internal/config/environ"
)

// param is a word or flag as help tells it.
type param struct {
	value    string // stands for the value where a usage is shown: NAME; "" is a switch
	text     string
	names    kind     // what a value names
	oneOf    []string // all that a value can be
	list     bool     // several values, with commas between
	bare     bool     // a flag whose value may stand behind the target as a word
	variable string   // of the environment, which sets it as well; describe finds it
}

// kind is what the value of a word or flag names, as far as the checkout can tell.
type kind int

const (
	anything kind = iota
	aPath
	aRecipe
	perhapsARecipe
	recipeOrPath
	anImage
	aBootTest
	aStep // or a recipe
	aLog  // a step of the recipe in the target's word
	aSet
	aTriple
	aToolchain
	someBackends
	hostFiles // HOST:/PATH[:MODE], with commas between
)

// params tells every word and flag; in parentheses is what counts without it. The key is a name that means the same everywhere, "area: name"
// for one that does so in a namespace, or "target name" for one that is the target's own; the narrowest counts.
var params = map[string]param{
	"accel":   {value: "NAME", text: "QEMU's accelerator (the fastest here)", oneOf: []string{"tcg", "kvm", "hvf"}},
	"backend": {value: "LIST", text: "backends over the recipes' own, like llvm:init,cranelift:*", names: someBackends, list: true},
	"dryrun":  {text: "say what would be done and why, and do nothing"},
	"img":     {value: "IMG", text: "the disk image (out/TARGET/pure-rust.img)", names: aPath},
	"j":       {value: "N", text: "processes at once, over all steps (the number of processors)"},
	"json":    {text: "print JSON, for programs"},
	"k":       {text: "build on after a failure and list all of them"},
	"memory":  {value: "MIB", text: "bound for the expected memory of steps that run at once"},
	"offline": {text: "touch no network"},
	"recipe":  {value: "NAME", text: "the recipe (initfs)", names: aRecipe, bare: true},
	"remote":  {value: "MODE", text: "the remote cache: as it is set, not at all, or without uploads", oneOf: []string{"on", "off", "readonly"}},
	"set":     {value: "NAME", text: "the release set (the active one, that of toolchain/toolchain.toml)", names: aSet},
	"std":     {value: "MODE", text: "the standard library: prepared once, or built by every cargo", oneOf: []string{"shared", "build-std"}},

	"recipe: name": {value: "NAME", text: "the recipe", names: aRecipe},

	"recipe:import path": {value: "PATH", text: "a recipe.toml of the cookbook or its folder, or a folder of many", names: aPath},
	"recipe:new name":    {value: "NAME", text: "what the recipe is called"},
	"recipe:new git":     {value: "URL", text: "the repository of its source"},
	"recipe:new ref":     {value: "NAME", text: "a branch or tag of the repository (its default branch)"},
	"recipe:new crate":   {value: "NAME", text: "a package of the crate registry, or NAME@VERSION (the newest)"},
	"recipe:new path":    {value: "DIR", text: "a folder with a Cargo workspace", names: aPath},
	"recipe:new dryrun":  {text: "print what would be written"},
	"recipe:log step":    {value: "STEP", text: "only this step (all)", names: aLog},
	"fetch recipe":       {value: "NAME", text: "only what this recipe needs (all recipes, and the packages of images)", names: aRecipe},

	"initfs: dir":           {value: "DIR", text: "the folder", names: aPath},
	"initfs: img":           {value: "IMG", text: "the initfs image", names: aPath},
	"initfs:ls l":           {text: "also backend, source and where each file lies"},
	"initfs:pack bootstrap": {value: "BOOTSTRAP", text: "the ELF file that the kernel starts", names: aPath},
	"initfs:pack layout":    {value: "N", text: "layout of the image (1)", oneOf: []string{"1", "2"}},
	"initfs:replace path":   {value: "PATH", text: "where the file is in the image"},
	"initfs:replace file":   {value: "FILE", text: "what takes its place", names: aPath},

	"image: path":            {value: "PATH", text: "a path in the image"},
	"image: paths":           {value: "PATHS", text: "paths in the image, with commas between"},
	"fetch bundle":           {value: "FILE", text: "a file to write all of it to, for a machine without a network", names: aPath},
	"fetch from":             {value: "FILE", text: "such a file, in place of the network", names: aPath},
	"image: initfs":          {value: "FILE", text: "an initfs in place of the description's", names: aPath},
	"image: kernel":          {value: "FILE", text: "a kernel in place of the description's", names: aPath},
	"image name":             {value: "NAME", text: "the description images/NAME.toml (pure-rust)", names: anImage},
	"image loader":           {value: "FILE", text: "a bootloader in place of the description's", names: aPath},
	"image out":              {value: "FILE", text: "where the image goes (out/TARGET/NAME.img)", names: aPath},
	"image:inject initfs":    {value: "FILE", text: "an initfs (that of out/, when nothing is named)", names: aPath},
	"image:inject kernel":    {value: "FILE", text: "a kernel", names: aPath},
	"image:inject files":     {value: "LIST", text: "other files: HOST:/PATH[:MODE], with commas between", names: hostFiles},
	"image:restore paths":    {value: "PATHS", text: "only these files and trees, with commas between"},
	"image:restore snapshot": {value: "NAME", text: "a snapshot (image:snapshots) in place of the known good image"},
	"image:grow mib":         {value: "MIB", text: "the new size"},
	"image:diff against":     {value: "IMG", text: "another image in place of the known good one", names: aPath},
	"image:snapshots keep":   {value: "N", text: "remove all but the newest N"},
	"image:ls r":             {text: "with everything below"},

	"edit recipe": {value: "RECIPE", text: "the recipe whose source it is (without one those under edit are listed)", names: aRecipe, bare: true},
	"edit finish": {text: "write the commits back as patches of the series, and end the edit"},
	"edit drop":   {text: "end the edit without that; what you made is moved aside and kept"},
	"edit list":   {text: "list the sources under edit"},
	"edit dryrun": {text: "say what would be written"},
	"edit series": {value: "NAME", text: "with -finish: the series of new commits (the recipe's own, or its last)"},
	"edit form":   {value: "FORM", text: "with -finish: what new commits become (toml where it has words for it, else patch)", oneOf: []string{"toml", "patch"}},

	"ide recipe":  {value: "RECIPE", text: "the recipe whose source is edited", names: aRecipe},
	"dev recipe":  {value: "RECIPE", text: "the recipe whose source is edited", names: aRecipe},
	"dev name":    {value: "NAME", text: "the image images/NAME.toml that is booted (pure-rust; the demo for what is in that)", names: anImage},
	"dev machine": {value: "NAME", text: "the kind of machine", oneOf: []string{"default", "gdb", "nvme", "small", "smp"}},
	"dev memory":  {value: "MIB", text: "the guest's memory (that of the machine)"},
	"dev cpus":    {value: "N", text: "the guest's processors (those of the machine)"},

	"gdb program":   {value: "PROGRAM", text: "a program whose symbols are loaded beside the kernel's", bare: true},
	"gdb img":       {value: "IMG", text: "a disk image to boot in place of the demo", names: aPath},
	"gdb commands":  {value: "FILE", text: "commands that the debugger runs, to end then", names: aPath},
	"gdb dryrun":    {text: "print the debugger's command"},
	"shell step":    {value: "STEP", text: "the step, like demo/programs", names: aStep},
	"shell command": {value: "TEXT", text: "run this in place of an interactive shell"},
	"symbolise log": {value: "LOG", text: "what a serial line printed (the newest log of a guest here)", names: aPath, bare: true},

	"run img":      {value: "IMG", text: "the disk image (out/TARGET/dev.img, built when it is not there)", names: aPath},
	"run dryrun":   {text: "print QEMU's command"},
	"run gui":      {text: "open a window"},
	"run machine":  {value: "NAME", text: "the kind of machine", oneOf: []string{"default", "gdb", "nvme", "small", "smp"}},
	"run memory":   {value: "MIB", text: "the guest's memory (that of the machine)"},
	"run cpus":     {value: "N", text: "the guest's processors (those of the machine)"},
	"run port":     {value: "LIST", text: "ports of this host that lead to the guest: HOST:GUEST[/udp], or none (2222:22)", list: true},
	"run share":    {value: "DIR", text: "a folder that the guest sees by 9p", names: aPath},
	"run snapshot": {text: "forget the guest's writes, as without -write"},
	"run write":    {text: "keep the guest's writes in the image"},

	"test:boot name":   {value: "NAME", text: "the test images/boot/NAME.toml, or all", names: aBootTest},
	"test:boot img":    {value: "IMG", text: "the disk image (the test's)", names: aPath},
	"test:relibc only": {value: "LIST", text: "some tests or folders of them: stdio/,math"},

	"report text":     {text: "print it as text"},
	"report markdown": {text: "print its short form, for the summary of a CI job"},
	"report against":  {value: "FILE", text: "a manifest.json to compare with, or its folder (the image before)", names: aPath},

	"why name":     {value: "NAME", text: "a step or a recipe", names: aStep},
	"graph format": {value: "FORMAT", text: "a tree, for Graphviz, for programs, or the last build's timeline", oneOf: []string{"text", "dot", "json", "svg"}},
	"purity of":    {value: "NAME", text: "an image file, or a recipe that makes one (initfs)", names: recipeOrPath, bare: true},
	"repro recipe": {value: "NAME", text: "the recipe (demo)", names: aRecipe, bare: true},
	"repro image":  {value: "NAME", text: "a disk image of images/ in place of a recipe", names: anImage},
	"bench only":   {value: "LIST", text: "some parts; initfs and backends take long and are never in all", oneOf: []string{"nochange", "oneline", "relibc", "clean", "packages", "initfs", "backends"}, list: true},

	"pkg: downgrade":         {text: "go back to older packages, and take a repository that shows an older state"},
	"pkg: file":              {value: "FILE", text: "the archive", names: aPath},
	"pkg: force":             {text: "go on although libraries would be missing"},
	"pkg: image":             {value: "IMG", text: "the disk image (out/TARGET/pure-rust.img)", names: aPath},
	"pkg: key":               {value: "KEY", text: "the public key: a file, a folder with one, or 64 hex digits", names: aPath},
	"pkg: lzma2":             {text: "compress"},
	"pkg: name":              {value: "NAME", text: "the package"},
	"pkg: names":             {value: "NAMES", text: "packages, with commas between"},
	"pkg: repo":              {value: "URL", text: "the repository, a URL or a folder (those of packages.toml)", names: aPath},
	"pkg: root":              {value: "DIR", text: "a folder in place of an image", names: aPath},
	"pkg:create key":         {value: "DIR", text: "the folder with the signing key (pkg:keygen)", names: aPath},
	"pkg:create name":        {value: "NAME", text: "the recipe, which names the package", names: perhapsARecipe},
	"pkg:create dir":         {value: "DIR", text: "a folder to pack in place of a recipe's tree", names: aPath},
	"pkg:create out":         {value: "FILE", text: "where the archive goes (out/TARGET/pkg/NAME.pkgar)", names: aPath},
	"pkg:extract dir":        {value: "DIR", text: "where the files go", names: aPath},
	"pkg:extract insecure":   {text: "take an archive that nothing vouches for, to a new folder"},
	"pkg:fetch out":          {value: "DIR", text: "copy the archives there as well", names: aPath},
	"pkg:keygen dir":         {value: "DIR", text: "where the keys go", names: aPath},
	"pkg:keygen passphrase":  {text: "ask for a passphrase, or read a line of standard input"},
	"pkg:publish repository": {value: "DIR", text: "the folder of the repository", names: aPath},
	"pkg:publish key":        {value: "DIR", text: "the folder with the signing key (pkg:keygen)", names: aPath},
	"pkg:publish recipes":    {value: "LIST", text: "recipes, with commas between", names: aRecipe, list: true},
	"pkg:publish dir":        {value: "DIR", text: "a folder to pack in place of recipes", names: aPath},
	"pkg:publish name":       {value: "NAME", text: "with -dir: the package's name"},
	"pkg:publish version":    {value: "VERSION", text: "with -dir: the package's version"},
	"pkg:publish depends":    {value: "NAMES", text: "with -dir: what it depends on, with commas between"},
	"pkg:remove force":       {text: "take libraries that are still needed, too"},
	"pkg:search substring":   {value: "TEXT", text: "a part of the name"},

	"sdk sysroot": {value: "NAME", text: "the recipe that programs are linked against (sysroot)", names: aRecipe},
	"sdk core":    {text: "of Rust's library only core and alloc, for no_std"},
	"sdk o":       {value: "FILE", text: "pack it as well, into a .tar, .tar.gz or .tar.xz", names: aPath},

	"demo accel":      {value: "NAME", text: "QEMU's accelerator (tcg)", oneOf: []string{"tcg", "kvm", "hvf"}},
	"test:diff accel": {value: "NAME", text: "QEMU's accelerator (tcg)", oneOf: []string{"tcg", "kvm", "hvf"}},

	"toolchain:show probe":        {text: "measure anew what it can do"},
	"toolchain:lock hosts":        {text: "the other hosts as well, from rustup's archives (1 GB)"},
	"toolchain:install cranelift": {text: "the Cranelift backend as well"},
	"toolchain:pin channel":       {value: "CHANNEL", text: "like nightly-2026-01-14"},
	"toolchain:pin symlink":       {text: "make the files that name a toolchain links to the pin"},
	"toolchain: name":             {value: "NAME", text: "one of toolchain/builds (the only one)", names: aToolchain, bare: true},
	"toolchain:build llvm":        {value: "WHICH", text: "the installed LLVM, or compile it too", oneOf: []string{"system", "bootstrap"}},
	"toolchain:build dryrun":      {text: "say what it would take"},
	"toolchain:pack o":            {value: "FILE", text: "where the archive goes (NAME.tar.xz)", names: aPath},
	"toolchain:unpack file":       {value: "FILE", text: "what toolchain:pack made", names: aPath},
	"toolchain:unpack sha256":     {value: "HEX", text: "the digest it must have (that of FILE.sha256)"},
	"target:spec triple":          {value: "NAME", text: "the target (the user-space one; with -write and -check all)", names: aTriple},
	"target:spec compiler":        {value: "RELEASE", text: "the rustc it is for: 1.94, 1.96 or installed (the pinned one)"},
	"target:spec write":           {text: "write targets/*.json"},
	"target:spec check":           {text: "compare with targets/*.json"},
	"cache:gc maxage":             {value: "DAYS", text: "what was not used for so long goes (30)"},
	"cache:gc maxsize":            {value: "GIB", text: "what is beyond this size goes (20)"},
	"cache:gc dryrun":             {text: "say what would go"},
	"drift all":                   {text: "every release set, not only the active one"},
	"upgrade names":               {value: "NAMES", text: "recipes, with commas between (all that have a repository)", names: aRecipe, list: true, bare: true},
	"upgrade to":                  {value: "GOAL", text: "a day (2026-06-05), a commit of the one recipe, or head (head)"},
	"upgrade dryrun":              {text: "say what would change, and change nothing"},
	"upgrade nobuild":             {text: "do not build and boot what was upgraded"},
	"drift strict":                {text: "fail also when something could not be compared"},
	"doctor network":              {text: "also ask whether the sources can be reached"},
}

// describe finds the text of a word or flag, and its key.
func describe(target, name string) (p param, key string) {
	namespace, _, _ := strings.Cut(target, ":")
	for _, key := range []string{target + " " + name, namespace + ": " + name} {
		if p, ok := params[key]; ok {
			return p, key
		}
	}
	p, ok := params[name]
	if !ok {
		return p, ""
	}
	p.variable = variableOf(name)
	return p, name
}

// variableOf is the variable that sets a flag which means the same everywhere, or "".
func variableOf(flag string) string {
	for _, v := range environ.Variables() {
		if v.Flag == "-"+flag {
			return v.Name
		}
	}
	return ""
}
