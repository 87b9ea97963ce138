// Package remote is a cache on another machine, and workers: results by action, blobs by digest and commands, over the Bazel Remote
// Execution API v2.
//
// It owns the address and its credentials, deadlines, retries and giving up, the batching of blobs and the form of an entry, and how an
// operation is begun, listened to and ended. Nothing that it is given is trusted: every byte is checked against its digest before it gets a
// name here. It must not know recipes or steps, nor decide when a result is looked for or offered (package graph does), nor what a command
// needs that it finds on this machine (package worker does).
//
// A server that is dead, hangs, lies or forbids something never fails a build: a lookup is a miss, what cannot be fetched is missing
// and is made here, what cannot be uploaded stays here, what no worker runs is run here, and one notice says why.
//
// # The form of an entry
//
// The key is the digest of the Action message. The ActionResult has one output directory with the empty path, which stands for the whole
// output, with the digest of its Tree and of its root Directory; standard output holds the notices of the step, one a line; the metadata
// name the worker, so that no entry is empty. Uploaded are, in this order, the files, the Directory messages, the Tree, Command and Action,
// and last the ActionResult. A reader rebuilds the Directory messages from the Tree: some servers keep only that alive.
package remote

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"

	"github.com/pannous/redox-clif/internal/cas"
)

// Config says which server is used, and how.
type Config struct {
	// Address is grpc://HOST:PORT, grpcs://HOST:PORT or unix:PATH; without a scheme it is grpcs, as for Bazel.
	Address string
	// Instance is the name of the instance on the server; most have one without a name.
	Instance string
	// Headers go with every call. They may hold secrets and are never shown.
	Headers []Header
	// CA, ClientCert and ClientKey are files in PEM form; without a CA the system's roots are used.
	CA, ClientCert, ClientKey string
	// Accept takes results of the server, Upload offers it what is made here.
	Accept, Upload bool
	// Compress moves blobs as zstd where the server can.
	Compress bool
	// Timeout bounds one call, but for a second more for each MiB that it moves; 0 is DefaultTimeout.
	Timeout time.Duration
	// Retries is how often a call that failed for the moment is tried again.
	Retries int
	// Build names the build for whoever looks at the server: the same for all its calls.
	Build string
	// Executor is the address of the server whose workers run commands, "" for none. It reads the same blobs as the cache and is
	// mostly the same server. Properties are what a worker must be.
	Executor   string
	Properties []Property
	// Beat is how long a server may say nothing of a command before it is asked whether it is there; 0 is DefaultBeat.
	Beat time.Duration
}

// Property is one of a worker's platform: "container-image" and "docker://…".
type Property struct{ Name, Value string }

// Header is one line of a call's metadata. The name is in lower case.
type Header struct{ Name, Value string }

const (
	// DefaultTimeout bounds a call: a hung server costs a build about as much.
	DefaultTimeout = 5 * time.Second
	// DefaultRetries is how often a call is tried again.
	DefaultRetries = 3
)

// Client is a server in use by one build. Nothing is sent before something is needed.
type Client struct {
	config Config
	store  *cas.Store
	notice func(string)

	connection *grpc.ClientConn
	results    repb.ActionCacheClient
	blobs      repb.ContentAddressableStorageClient
	streams    bytestream.ByteStreamClient
	about      repb.CapabilitiesClient

	// Without an executor these are nil.
	executorConnection *grpc.ClientConn
	workers            repb.ExecutionClient
	operations         longrunningpb.OperationsClient
	executorAbout      repb.CapabilitiesClient
	executor           func() (bool, error) // asks once whether it runs commands
	beat               time.Duration

	capabilities func() (*Capabilities, error) // asks once
	breaker      breaker
	known        known // of the blobs at the server
	upload       *uploads
	counts       counts
}

// counts are what a build has had of the server.
type counts struct{ hits, misses, calls, down, up, uploaded, wrong, executed, refused atomic.Int64 }

// Stats are what a build has had of the server.
type Stats struct {
	Hits   int64 `json:"hits"`   // results found
	Misses int64 `json:"misses"` // results looked for and not found
	Calls  int64 `json:"calls"`
	// DownBytes and UpBytes are the sizes of the blobs moved.
	DownBytes int64 `json:"down_bytes"`
	UpBytes   int64 `json:"up_bytes"`
	Uploaded  int64 `json:"uploaded"` // results offered and taken
	Wrong     int64 `json:"wrong"`    // blobs that were not what they were asked for as, and were dropped
	Executed  int64 `json:"executed"` // commands that a worker ran, also those that failed
	Refused   int64 `json:"refused"`  // commands that no worker ran, and that were run here
}

// New prepares the use of a server for the store. It sends nothing: errors are about the configuration. notice is told, at most once for
// each, what a user has to know. Close ends it.
func New(config Config, store *cas.Store, notice func(string)) (*Client, error) {
	config.Timeout = cmp.Or(config.Timeout, DefaultTimeout)
	c := &Client{config: config, store: store, notice: notice}
	c.known.blobs, c.known.whole = map[cas.Digest]*arrival{}, map[cas.Digest]bool{}
	var err error
	if c.connection, err = dial(config); err != nil {
		return nil, fmt.Errorf("the remote cache %s: %w", config.Address, err)
	}
	c.results, c.blobs = repb.NewActionCacheClient(c.connection), repb.NewContentAddressableStorageClient(c.connection)
	c.streams, c.about = bytestream.NewByteStreamClient(c.connection), repb.NewCapabilitiesClient(c.connection)
	c.capabilities = sync.OnceValues(func() (*Capabilities, error) { return c.ask(context.Background()) })
	if err := c.openExecutor(); err != nil {
		return nil, err
	}
	if config.Upload {
		c.upload = newUploads(c)
	}
	return c, nil
}

// openExecutor prepares the use of workers, if there are any.
func (c *Client) openExecutor() (err error) {
	if c.config.Executor == "" {
		return nil
	}
	c.executorConnection = c.connection
	if c.config.Executor != c.config.Address {
		other := c.config
		other.Address = c.config.Executor
		if c.executorConnection, err = dial(other); err != nil {
			return fmt.Errorf("the remote executor %s: %w", other.Address, err)
		}
	}
	c.workers, c.operations = repb.NewExecutionClient(c.executorConnection), longrunningpb.NewOperationsClient(c.executorConnection)
	c.executorAbout, c.beat = repb.NewCapabilitiesClient(c.executorConnection), cmp.Or(c.config.Beat, DefaultBeat)
	c.executor = sync.OnceValues(func() (bool, error) { return c.askExecutor(context.Background()) })
	return nil
}

// Stats are the counts so far.
func (c *Client) Stats() Stats {
	n := &c.counts
	return Stats{
		Hits: n.hits.Load(), Misses: n.misses.Load(), Calls: n.calls.Load(), DownBytes: n.down.Load(), UpBytes: n.up.Load(),
		Uploaded: n.uploaded.Load(), Wrong: n.wrong.Load(), Executed: n.executed.Load(), Refused: n.refused.Load(),
	}
}

// Close waits until ctx ends for what is still to be uploaded, and closes the connection. It returns how many results were
// not uploaded.
func (c *Client) Close(ctx context.Context) (left int) {
	if c.upload != nil {
		left = c.upload.close(ctx)
	}
	if n := c.counts.wrong.Load(); n > 0 {
		c.notice(fmt.Sprintf("the remote cache %s gave other bytes than asked for, %d times; they were dropped", c.config.Address, n))
	}
	_ = c.connection.Close()
	if c.executorConnection != nil && c.executorConnection != c.connection {
		_ = c.executorConnection.Close()
	}
	return left
}
