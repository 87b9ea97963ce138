package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/hostpackage"
)

// offlineMiss is the first line of what cargo says of a crate that it has not got; that it is offline comes later.
var offlineMiss = regexp.MustCompile("no matching package named|failed to get `.*` as a dependency|failed to download")

// missingPath is cargo's complaint of a path dependency or a member: nothing was to be downloaded.
var missingPath = regexp.MustCompile("failed to (get|load|read) .*No such file or directory")

// installCC in a hint stands for the command that brings a C compiler to this machine.
const installCC = "{cc}"

// hints are failures that cost somebody an afternoon once. The patterns are the messages of rustc,
// cargo, lld and the operating system.
var hints = []struct {
	pattern *regexp.Regexp
	text    string
}{
	// Before the others: it quotes lines of the source, which may say anything.
	{regexp.MustCompile(`patches/[^\n]*\n.*: conflict: `), "the source is not the one that the patch was written for: fit the patch to the lines above (in TOML its anchors), or let it say when it is not wanted ([needed], satisfied)"},
	{regexp.MustCompile(`(?i)no space left on device`), "the disk is full; `mage cache:gc` makes room where it is the cache's, REDOX_CACHE=DIR moves that, and out/ may be a link to another disk"},
	{regexp.MustCompile("linker `cc` not found"), "build scripts run on this machine and are linked by its C compiler: `" + installCC + "`"},
	{regexp.MustCompile(`(?i)read-only file system`), "the cache or out/ is on a read-only file system; REDOX_CACHE=DIR moves the cache, and out/ may be a link to where you may write"},
	{regexp.MustCompile(`^mkdir .*/out: (file exists|not a directory)`), "out in the checkout is a file, or a link that leads nowhere: remove it, or mend the link"},
	{regexp.MustCompile(`^mkdir \S*/out\b.*permission denied|/out/\S*: permission denied`), "results go to out/ in the checkout, which you may not write; out/ may be a link to where you may"},
	{regexp.MustCompile(`(opening the cache|locking the step|could not remember).*permission denied`), "you may not write the cache; REDOX_CACHE=DIR moves it"},
	{regexp.MustCompile(`(?i)custom targets are unstable`), "the Cranelift backend's assembler is not told about JSON targets; its patch series patches/cg_clif mends it"},
	{regexp.MustCompile(`IncompatibleSignature`), "Cranelift chooses f128 comparison results by the host (fixed by our backend patches); use a patched toolchain or -backend=llvm:*"},
	{regexp.MustCompile(`asm_sym|inline_asm_sym|sym operands`), "this Cranelift has no sym operands in asm; build the component with -backend=llvm:NAME"},
	{regexp.MustCompile(`(?i)defining variadic functions|variadic functions? (is|are) not (yet )?supported`), "Cranelift cannot define variadic functions (rustc_codegen_cranelift#1677); build the component with LLVM"},
	{regexp.MustCompile(`binary format is unknown`), "Cranelift needs a target spec whose llvm-target names an ELF system, such as aarch64-unknown-redox"},
	{regexp.MustCompile(`no-f16-f128`), "compiler_builtins lost the feature no-f16-f128 in 2026-01 (rust#150968); remove it from the recipe"},
	{regexp.MustCompile(`json-target-spec|target specification.* unstable`), "the toolchain is newer than what was probed; remove its probe from the cache: `mage toolchain:show -probe`"},
	{regexp.MustCompile(`cannot find -lgcc_eh|unable to find library -lgcc_eh`), "the sysroot has no stub libgcc_eh.a; rebuild it: `mage recipe:build sysroot`"},
	{regexp.MustCompile(`package ID specification .* did not match any packages|no bin target named|no example target named`), "the recipe asks for a program that the source does not have (any more): see packages and bins in its recipe.toml"},
	{regexp.MustCompile(`lock file .* needs to be updated|cannot update the lock file`), "the source's Cargo.lock does not fit its manifests; in an override's folder `cargo update --workspace` mends it, for a pinned source `mage recipe:lock NAME` makes one that does"},
	{missingPath, "a package that is named by its path is not in the source: see whether its folder is a git submodule, or outside of the recipe's [cargo] dir"},
	{regexp.MustCompile("failed to get `.*` as a dependency|failed to download|spurious network error|(?i:could not resolve host)"), "a download failed: the log has the reason; proxy and certificate variables and [source] tables of your cargo configuration are honoured, and after a `mage fetch` builds need no network"},
	{regexp.MustCompile(`attempting to make an HTTP request, but --offline|offline mode`), "`mage fetch` gets everything while the network may be used"},
	{regexp.MustCompile(`VaListImpl|as_va_list|with_copy`), "this relibc is written for an older nightly; the patch series patches/relibc fits it to the pin"},
}

// Hinted adds what is known to help to an error, unless that has it already. Being stopped is said as such.
func Hinted(err error) error {
	if err == nil || strings.Contains(err.Error(), hintMark) {
		return err
	}
	if errors.Is(err, context.Canceled) && !strings.HasPrefix(err.Error(), "stopped") {
		return fmt.Errorf("stopped (%w)", err)
	}
	if hint := Hint(err.Error()); hint != "" {
		return fmt.Errorf("%w\n%s%s", err, hintMark, hint)
	}
	return err
}

// hintMark starts the line with a hint.
const hintMark = "  hint:   "

// Hint is what to do about a known failure, "" for others.
func Hint(message string) string {
	for _, h := range hints {
		if h.pattern.MatchString(message) {
			return strings.ReplaceAll(h.text, installCC, hostpackage.CC.Install(hostpackage.Here()))
		}
	}
	return ""
}
