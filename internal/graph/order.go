package graph

import (
	"container/heap"
	"time"
)

// unknownCost is added for every step, so that without history the longest chain goes first.
const unknownCost = time.Millisecond

// costs estimates for each node the time from its start to the end of the build.
func (b *build) costs(order []*Node) map[*Node]time.Duration {
	cost := map[*Node]time.Duration{}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		cost[n] += unknownCost
		if r := b.History.Get(n.ID); r != nil {
			cost[n] += r.Duration
		} else {
			cost[n] += n.Typical
		}
		for _, d := range n.Deps {
			cost[d] = max(cost[d], cost[n])
		}
	}
	return cost
}

// queue is the ready nodes, longest way to the end first, then by ID.
type queue struct {
	nodes []*Node
	cost  map[*Node]time.Duration
}

func (q *queue) Len() int { return len(q.nodes) }
func (q *queue) Less(i, j int) bool {
	a, b := q.nodes[i], q.nodes[j]
	if q.cost[a] != q.cost[b] {
		return q.cost[a] > q.cost[b]
	}
	return a.ID < b.ID
}
func (q *queue) Swap(i, j int) { q.nodes[i], q.nodes[j] = q.nodes[j], q.nodes[i] }
func (q *queue) Push(x any)    { q.nodes = append(q.nodes, x.(*Node)) }
func (q *queue) Pop() any {
	last := q.nodes[len(q.nodes)-1]
	q.nodes = q.nodes[:len(q.nodes)-1]
	return last
}

// lane is a queue of which so many run at once.
type lane struct {
	queue
	jobs    int
	running int
}

// next takes the first node that may run now; nil when none may.
func (l *lane) next() *Node {
	if l.Len() == 0 || l.running >= l.jobs {
		return nil
	}
	l.running++
	return heap.Pop(l).(*Node)
}
