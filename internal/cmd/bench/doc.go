// Package bench is `mage bench` and `mage repro`: what this project is measured by, in ratios that another machine can repeat,
// and builds done twice and compared.
//
// It owns what is timed against what, the notes that figures go to, and the two surroundings of repro. It must not know how
// a build works inside: it runs targets as a user does, or builds by package session.
package bench
