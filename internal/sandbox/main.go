package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/pannous/redox-clif/internal/process"
)

// Main has this program be the first process of a sandbox, or the one in a fence, when its command line says so, and does not return then. A
// program that sandboxes are to be entered by calls it before anything else.
func Main(args []string) struct{} {
	if len(args) > 3 && args[1] == word {
		os.Exit(begin(args[2], args[3:]))
	}
	if len(args) > 3 && args[1] == fenceWord {
		os.Exit(beginFenced(args[2], args[3:]))
	}
	return struct{}{}
}

// failed is the status when a sandbox could not be laid out.
const failed = 125

func begin(text string, args []string) int {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	code := failed
	switch {
	case err != nil:
	case o.Inside:
		code, err = enter(o, args)
	default:
		code, err = again(o, args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: the sandbox:", err)
		return failed
	}
	return code
}

// beginFenced returns only when it failed.
func beginFenced(text string, args []string) int {
	var f fenced
	err := json.Unmarshal([]byte(text), &f)
	if err == nil {
		err = enclose(f, args)
	}
	fmt.Fprintln(os.Stderr, "error: the fence around what fetches:", err)
	return failed
}

// again starts this program once more, in namespaces: it was called by hand.
func again(o order, args []string) (int, error) {
	o.Inside = true
	all, err := o.args("/proc/self/exe", args)
	if err != nil {
		return failed, err
	}
	err = process.Exec(context.Background(), process.Process{Args: all, Env: os.Environ(), Dir: "/", Output: os.Stdout, Errors: os.Stderr, Isolated: true})
	var exit *process.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.Code >= 0:
		return exit.Code, nil
	}
	return failed, err
}
