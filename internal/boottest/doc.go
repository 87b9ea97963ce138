// Package boottest is images/boot/<name>.toml: what a guest must and must not print, and what its disk must hold
// afterwards.
//
// It owns what such a file can say, what it asks of the machine, the script that comes of it, the services of the host that a
// guest talks to, and the judgement. It must not know how images are made or a guest is started.
package boottest
