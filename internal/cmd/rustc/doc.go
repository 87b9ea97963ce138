// Package rustc is `mage toolchain:build`, toolchain:pack and toolchain:unpack: rustc with a patched Cranelift.
//
// It owns the order of the steps and what is shown meanwhile. It must not know how rustc is configured or put together:
// package rustbuild does.
package rustc
