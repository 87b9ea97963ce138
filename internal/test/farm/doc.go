// Package farm has the simulation of a large farm: where there is none, a server in this process stands for it.
//
// It owns the graph, its durations and what is demanded of a build of it. It must not know recipes or compilers.
package farm
