// Package pin is `mage toolchain:*` as far as the one pin goes, `mage drift*`, `mage target:*` and `mage doctor`: what holds this
// checkout and its origins together.
//
// It owns the words, and how a session's folders, sources and toolchain get to what compares them ([openCheckout]). It must not
// judge: packages drift, doctor and toolchain do, and return values.
package pin
