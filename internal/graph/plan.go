package graph

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
)

// Verdict is what a dry run says of a node.
type Verdict struct {
	Node *Node
	// State is "up to date", "run" or "depends": whether it runs depends on outputs that are not known yet.
	State string
	// Reason is why.
	Reason string
	// Estimate is how long it took the last time, 0 if unknown.
	Estimate time.Duration
	// Action is what would run or is up to date; nil when it is not known yet or the node has none.
	Action *action.Action
}

// DryRun says what Build would do, without running anything.
func (e *Engine) DryRun(ctx context.Context, roots []*Node) ([]Verdict, error) {
	order, err := Order(roots)
	if err != nil {
		return nil, err
	}
	known := Outputs{}
	var verdicts []Verdict
	for _, n := range order {
		v, err := e.judge(ctx, n, known)
		if err != nil {
			return nil, &Failure{Node: n.ID, Err: err}
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

func (e *Engine) judge(ctx context.Context, n *Node, known Outputs) (Verdict, error) {
	v := Verdict{Node: n, State: "up to date"}
	last := e.History.Get(n.ID)
	if last != nil {
		v.Estimate = last.Duration
	}
	in := Outputs{}
	var waits []string
	for _, d := range n.Deps {
		out, ok := known[d]
		if !ok {
			waits = append(waits, d.ID)
		}
		in[d] = out
	}
	if len(waits) > 0 {
		v.State, v.Reason = "depends", "on the outputs of "+strings.Join(waits, ", ")
		return v, nil
	}
	if n.Resolve != nil {
		out, err := n.Resolve(ctx, in)
		if isMissing(err) {
			return lost(v, err), nil
		}
		known[n] = out
		return v, err
	}
	act, err := n.Plan(ctx, in)
	if isMissing(err) {
		return lost(v, err), nil
	}
	if err != nil {
		return v, err
	}
	v.Action = act
	r, ok, err := e.Cache.Get(act.Digest())
	if err != nil {
		return v, err
	}
	if ok {
		known[n] = r.Output
		if err := e.Store.Complete(r.Output); isMissing(err) && !r.Remote {
			v.Reason = fmt.Sprintf("but %v: it is built again if something needs it", err)
		}
		return v, nil
	}
	v.State, v.Reason = "run", reason(e.Store, last, act)
	return v, nil
}

// lost is the verdict on a node that cannot be judged before an output is built again.
func lost(v Verdict, err error) Verdict {
	v.State, v.Reason = "depends", fmt.Sprintf("on an output that has to be made again: %v", err)
	return v
}
