// Package pin is `mage toolchain:*` as far as the one pin goes, `mage drift*`, `mage target:*` and `mage doctor`: what holds this
// checkout and its origins together.
//
// It owns the words and which comparison gets what. It must not judge: packages drift, doctor and toolchain do.
package pin
