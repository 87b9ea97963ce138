package boottest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Service is a program of the host that the guest talks to, by TCP and by QEMU's user network. Its address stands for
// %{service.NAME} in what is typed, run and put into files.
type Service struct {
	// Name has small letters, digits and -.
	Name string `toml:"name,required"`
	// Hears is a pattern that what a guest says has to match before it gets an answer; by default anything does.
	Hears string `toml:"hears"`
	// Says is the answer, nothing by default. The connection ends with it.
	Says string `toml:"says"`
}

// hostAddress is how a guest on QEMU's user network reaches the host's loopback device.
const hostAddress = "10.0.2.2"

// maxHeard bounds what a service keeps of what a guest says; conversation is how long it listens.
const (
	maxHeard     = 64 << 10
	conversation = 30 * time.Second
)

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (sv *Service) check() []error {
	var errs []error
	if !serviceName.MatchString(sv.Name) {
		errs = append(errs, fmt.Errorf("service %q: want a name of small letters", sv.Name))
	}
	if _, err := regexp.Compile(sv.Hears); err != nil {
		errs = append(errs, fmt.Errorf("service %q: %w", sv.Name, err))
	}
	return errs
}

func (sv *Service) reference() string { return "%{service." + sv.Name + "}" }

// Services are those of one run.
type Services struct {
	running []*runningService
	all     sync.WaitGroup
}

type runningService struct {
	service  *Service
	listener net.Listener

	mu       sync.Mutex
	answered int
	heard    []byte // by the last one that was not answered
}

// Serve starts the services, each on a free port of the loopback device, and puts their addresses into the test.
func (t *Test) Serve() (*Services, error) {
	b := &Services{}
	for i := range t.Services {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Stop()
			return nil, err
		}
		r := &runningService{service: &t.Services[i], listener: l}
		b.running = append(b.running, r)
		b.all.Go(func() { r.accept(&b.all) })
		_, port, _ := net.SplitHostPort(l.Addr().String())
		t.expand(t.Services[i].reference(), net.JoinHostPort(hostAddress, port))
	}
	return b, nil
}

// expand replaces a reference wherever one can stand.
func (t *Test) expand(reference, value string) {
	for _, text := range t.texts() {
		*text = strings.ReplaceAll(*text, reference, value)
	}
}

// texts are the places where references can stand.
func (t *Test) texts() []*string {
	var all []*string
	for i := range t.Steps {
		all = append(all, &t.Steps[i].Send)
	}
	for i := range t.Commands {
		all = append(all, &t.Commands[i].Run)
	}
	for i := range t.Files {
		if t.Files[i].Text != nil {
			all = append(all, t.Files[i].Text)
		}
	}
	return all
}

var anyService = regexp.MustCompile(`%\{service\.[^}]*\}?`)

// checkServices finds references that no service stands behind.
func (t *Test) checkServices() []error {
	var errs []error
	known := map[string]bool{}
	for i := range t.Services {
		sv := &t.Services[i]
		errs = append(errs, sv.check()...)
		if known[sv.reference()] {
			errs = append(errs, fmt.Errorf("two services have the name %q", sv.Name))
		}
		known[sv.reference()] = true
	}
	for _, text := range t.texts() {
		for _, reference := range anyService.FindAllString(*text, -1) {
			if !known[reference] {
				errs = append(errs, fmt.Errorf("%s: there is no such [[service]]", reference))
			}
		}
	}
	return errs
}

func (r *runningService) accept(all *sync.WaitGroup) {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return // stopped
		}
		all.Go(func() { r.talk(c) })
	}
}

// talk listens until it has heard what it wants, and answers.
func (r *runningService) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(conversation))
	pattern := regexp.MustCompile(r.service.Hears) // checked when the test was read
	var heard bytes.Buffer
	part := make([]byte, 4096)
	for !pattern.Match(heard.Bytes()) {
		n, err := c.Read(part)
		heard.Write(part[:min(n, maxHeard-heard.Len())])
		if n == 0 && err != nil || heard.Len() == maxHeard {
			r.note(heard.Bytes(), false)
			return
		}
	}
	_, err := c.Write([]byte(r.service.Says))
	r.note(heard.Bytes(), err == nil)
	if half, ok := c.(*net.TCPConn); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, c) // closed with something unread, a connection may lose its last words
	}
}

func (r *runningService) note(heard []byte, answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if answered {
		r.answered++
		return
	}
	r.heard = heard
}

// Stop ends the services; nobody new is listened to.
func (b *Services) Stop() {
	for _, r := range b.running {
		_ = r.listener.Close()
	}
}

// checks says of each service whether it was asked what it wants to be asked.
func (b *Services) checks() []Check {
	var all []Check
	for _, r := range b.running {
		all = append(all, newCheck("service "+r.service.Name, r.err()))
	}
	return all
}

func (r *runningService) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.answered > 0:
		return nil
	case r.heard != nil:
		return fmt.Errorf("heard %s, want a match of %s", quoted(string(r.heard)), r.service.Hears)
	}
	return fmt.Errorf("nobody has asked it")
}
