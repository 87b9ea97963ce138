// Package compare is `mage test:diff` and `mage test:relibc`: the same programs by LLVM and by Cranelift, booted, and
// what they print held against each other.
//
// It owns how they are built and run. It must not judge: packages difftest and relibctest do.
package compare
