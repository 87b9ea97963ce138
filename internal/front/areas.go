package front

import (
	"slices"
	"strings"
)

// area is a group of targets: a heading of the list, and a topic of help.
type area struct {
	topic    string
	title    string
	everyday []string // in the list of `-l`, in the order a newcomer needs them
	rest     []string // listed by `-l -all`
}

// areas has every target once, in the order of the list.
var areas = []area{
	{"start", "Begin", []string{"demo", "doctor", "boot"}, nil},
	{"build", "Build",
		[]string{"initfs", "recipe:build", "recipe:new", "recipe:list", "recipe:log", "fetch"},
		[]string{"sdk", "recipe:clean", "recipe:lock", "recipe:import", "initfs:ls", "initfs:extract", "initfs:pack", "initfs:replace", "initfs:verify"}},
	{"images", "Disk images",
		[]string{"image", "run", "test:boot", "image:ls"},
		[]string{"image:cat", "image:inject", "image:rm", "image:grow", "image:diff", "image:bless", "image:snapshots", "image:restore", "image:verify"}},
	{"debug", "Change and debug", []string{"edit", "dev"}, []string{"ide", "gdb", "symbolise", "shell"}},
	{"explain", "Explain",
		[]string{"report", "plan", "why", "graph", "purity"},
		[]string{"repro", "bench", "test:diff", "test:relibc"}},
	{"packages", "Packages",
		[]string{"pkg:search", "pkg:install", "pkg:create"},
		[]string{"pkg:info", "pkg:tree", "pkg:fetch", "pkg:upgrade", "pkg:remove", "pkg:keygen", "pkg:publish", "pkg:ls", "pkg:verify", "pkg:extract"}},
	{"upkeep", "Toolchain, pins and cache",
		[]string{"toolchain:show", "toolchain:install", "toolchain:build", "drift", "cache:gc"},
		[]string{"upgrade", "toolchain:pin", "toolchain:lock", "toolchain:pack", "toolchain:unpack", "target:list", "target:spec", "drift:lock", "drift:upstream",
			"cache:stats", "cache:verify", "cache:dir", "config"}},
}

func (a area) all() []string { return slices.Concat(a.everyday, a.rest) }

// areaOf finds an area by its topic.
func areaOf(topic string) (area, bool) {
	i := slices.IndexFunc(areas, func(a area) bool { return a.topic == strings.ToLower(topic) })
	if i < 0 {
		return area{}, false
	}
	return areas[i], true
}
