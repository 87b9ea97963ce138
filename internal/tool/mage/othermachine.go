//go:build !unix

package main

// Nothing of this project runs here, and with GOOS=windows in the environment `go tool` compiles it for there. What the compiler then says
// is this name; without this file it is a page about package unix. The rest of the package is left out by its build constraint.
func main() {
	GOOS_in_the_environment_is_no_unix__run_env_u_GOOS_u_GOARCH_go_tool_mage()
}
