// Code generated from recipes/ by "go generate ./internal/recipe/gen". DO NOT EDIT.

//go:build mage

package main

import "context"

// Base builds base: init, the daemons and the drivers that the initfs needs.
func (Recipe) Base(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "base", dryRun, k, offline, j, set, backend, std, remote)
}

// Bootloader builds bootloader: the UEFI bootloader.
func (Recipe) Bootloader(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "bootloader", dryRun, k, offline, j, set, backend, std, remote)
}

// BootloaderLive builds bootloader-live: the UEFI bootloader that loads the root file system into memory (live disk).
func (Recipe) BootloaderLive(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "bootloader-live", dryRun, k, offline, j, set, backend, std, remote)
}

// Bootstrap builds bootstrap: the first program of user space: the kernel jumps into it inside the initfs image.
func (Recipe) Bootstrap(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "bootstrap", dryRun, k, offline, j, set, backend, std, remote)
}

// Cbindgen builds cbindgen: host tool: makes C headers of Rust declarations.
func (Recipe) Cbindgen(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "cbindgen", dryRun, k, offline, j, set, backend, std, remote)
}

// Coreutils builds coreutils: uutils coreutils as one multicall program.
func (Recipe) Coreutils(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "coreutils", dryRun, k, offline, j, set, backend, std, remote)
}

// Demo builds demo: the embedded demo: a small user space and a smoke kernel that boots it in QEMU.
func (Recipe) Demo(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "demo", dryRun, k, offline, j, set, backend, std, remote)
}

// DemoSysroot builds demo-sysroot: what the demo's programs are linked against: CRT objects and a small libc.
func (Recipe) DemoSysroot(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "demo-sysroot", dryRun, k, offline, j, set, backend, std, remote)
}

// Difftest builds difftest: differential tests: the same programs by LLVM and by Cranelift, to be run under the smoke kernel.
func (Recipe) Difftest(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "difftest", dryRun, k, offline, j, set, backend, std, remote)
}

// DifftestDefects builds difftest-defects: one program for each defect of the Cranelift backend; see difftest/expected.toml.
func (Recipe) DifftestDefects(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "difftest-defects", dryRun, k, offline, j, set, backend, std, remote)
}

// DifftestSysroot builds difftest-sysroot: what the differential tests are linked against: the demo's, and functions by either backend for the other to call.
func (Recipe) DifftestSysroot(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "difftest-sysroot", dryRun, k, offline, j, set, backend, std, remote)
}

// Helix builds helix: the Helix editor.
func (Recipe) Helix(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "helix", dryRun, k, offline, j, set, backend, std, remote)
}

// Initfs builds initfs: the real Redox initfs: everything that runs before the root file system is mounted.
func (Recipe) Initfs(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "initfs", dryRun, k, offline, j, set, backend, std, remote)
}

// Ion builds ion: the Ion shell.
func (Recipe) Ion(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "ion", dryRun, k, offline, j, set, backend, std, remote)
}

// IonHost builds ion-host: host tool: the patched Ion shell, for the tests that count its descriptors.
func (Recipe) IonHost(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "ion-host", dryRun, k, offline, j, set, backend, std, remote)
}

// Ipcd builds ipcd: channels, Unix domain sockets and shared memory between programs.
func (Recipe) Ipcd(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "ipcd", dryRun, k, offline, j, set, backend, std, remote)
}

// Kernel builds kernel: the Redox kernel.
func (Recipe) Kernel(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "kernel", dryRun, k, offline, j, set, backend, std, remote)
}

// Kibi builds kibi: kibi, a text editor in a thousand lines.
func (Recipe) Kibi(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "kibi", dryRun, k, offline, j, set, backend, std, remote)
}

// Libc builds libc: the crate libc with our patches, in place of the registry's wherever a recipe says so.
func (Recipe) Libc(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "libc", dryRun, k, offline, j, set, backend, std, remote)
}

// LibcCoreutils builds libc-coreutils: the crate libc with our patches, in the version that coreutils and its nix compile with.
func (Recipe) LibcCoreutils(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "libc-coreutils", dryRun, k, offline, j, set, backend, std, remote)
}

// LibcIon builds libc-ion: the crate libc with our patches, in the version that Ion's nix compiles with.
func (Recipe) LibcIon(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "libc-ion", dryRun, k, offline, j, set, backend, std, remote)
}

// Libm builds libm: the math library of the sysroot, in Rust.
func (Recipe) Libm(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "libm", dryRun, k, offline, j, set, backend, std, remote)
}

// Modetest builds modetest: creates files by open(2) and says whether they have the mode that was asked for: what variadic calls have to hand on.
func (Recipe) Modetest(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "modetest", dryRun, k, offline, j, set, backend, std, remote)
}

// ModetestCalls builds modetest-calls: what the files of modetest call, as an archive that is linked to nothing: for the test of patches/libc.
func (Recipe) ModetestCalls(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "modetest-calls", dryRun, k, offline, j, set, backend, std, remote)
}

// Netstack builds netstack: the network: smolnetd with TCP, UDP and ICMP, and the driver of virtio-net.
func (Recipe) Netstack(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "netstack", dryRun, k, offline, j, set, backend, std, remote)
}

// Netutils builds netutils: network programs: dhcpd, dns, ifconfig, nc, ping.
func (Recipe) Netutils(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "netutils", dryRun, k, offline, j, set, backend, std, remote)
}

// Ptyd builds ptyd: pseudo-terminals: what a login on the serial line runs in.
func (Recipe) Ptyd(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "ptyd", dryRun, k, offline, j, set, backend, std, remote)
}

// Redoxfs builds redoxfs: the RedoxFS daemon that mounts the root file system.
func (Recipe) Redoxfs(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "redoxfs", dryRun, k, offline, j, set, backend, std, remote)
}

// RedoxfsHost builds redoxfs-host: host tools of upstream: what our images have to be good for, and images that are not ours.
func (Recipe) RedoxfsHost(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "redoxfs-host", dryRun, k, offline, j, set, backend, std, remote)
}

// RedoxfsTool builds redoxfs-tool: host tool: reads and writes RedoxFS inside image files, without mounting anything.
func (Recipe) RedoxfsTool(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "redoxfs-tool", dryRun, k, offline, j, set, backend, std, remote)
}

// Relibc builds relibc: relibc, Redox's C library: libc.a and the CRT objects.
func (Recipe) Relibc(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "relibc", dryRun, k, offline, j, set, backend, std, remote)
}

// RelibcHeaders builds relibc-headers: the C headers of relibc.
func (Recipe) RelibcHeaders(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "relibc-headers", dryRun, k, offline, j, set, backend, std, remote)
}

// RelibcTests builds relibc-tests: relibc's own tests: its C programs, what they read, and what upstream expects of them.
func (Recipe) RelibcTests(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "relibc-tests", dryRun, k, offline, j, set, backend, std, remote)
}

// RelibcTestsRunner builds relibc-tests-runner: what `mage test:relibc` runs in the guest: starts relibc's tests one by one and prints how they ended.
func (Recipe) RelibcTestsRunner(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "relibc-tests-runner", dryRun, k, offline, j, set, backend, std, remote)
}

// Sigtest builds sigtest: what images/boot/signals.toml runs in the guest: whether each signal comes, and leaves the registers as they were.
func (Recipe) Sigtest(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "sigtest", dryRun, k, offline, j, set, backend, std, remote)
}

// Synctest builds synctest: what images/boot/sync.toml runs in the guest: writes a file and calls sync().
func (Recipe) Synctest(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "synctest", dryRun, k, offline, j, set, backend, std, remote)
}

// Sysroot builds sysroot: what programs are compiled and linked against: relibc, its CRT objects, its C headers and the archives std asks for.
func (Recipe) Sysroot(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "sysroot", dryRun, k, offline, j, set, backend, std, remote)
}

// Userutils builds userutils: getty, login, su and sudo, and what shows and changes users and groups.
func (Recipe) Userutils(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, "userutils", dryRun, k, offline, j, set, backend, std, remote)
}
