// Package remotetest is a server of the Remote Execution API in memory that misbehaves on request, for tests of what no real server can
// be made to do.
//
// It owns blobs, results and faults. It must not know package remote, whose tests use it.
package remotetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/bazelbuild/remote-apis/build/bazel/semver"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/genproto/googleapis/bytestream"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Faults are what a server does wrong. They are set before it is used.
type Faults struct {
	// Before is asked before each call; an error is the call's. It may wait.
	Before func(ctx context.Context, method string) error
	// ReadOnly takes no results.
	ReadOnly bool
	// Corrupt flips a bit of every file that is read, of at least this many bytes; 0 does not.
	Corrupt int
	// CutStreams ends streams of blobs after half of them.
	CutStreams bool
	// CutOperations ends the stream of each operation once, after its first message.
	CutOperations bool
	// BatchBytes is the limit of a batch that is told and held; 0 tells none and holds gRPC's.
	BatchBytes int64
	// Zstd offers compressed streams.
	Zstd bool
	// Token, when not empty, has to be in the header "authorization".
	Token string
	// Instance is the only instance that there is.
	Instance string
	// Latency is how long each call takes at least.
	Latency time.Duration
	// Worker does what is to be executed, so many at once; without one nothing is.
	Worker  Worker
	Workers int
}

// Server is a server in memory.
type Server struct {
	repb.UnimplementedActionCacheServer
	repb.UnimplementedContentAddressableStorageServer
	repb.UnimplementedCapabilitiesServer
	bytestream.UnimplementedByteStreamServer
	repb.UnimplementedExecutionServer
	longrunningpb.UnimplementedOperationsServer

	Address string
	Faults  Faults

	mu      sync.Mutex
	blobs   map[string][]byte
	results map[string]*repb.ActionResult
	calls   map[string]int
	server  *grpc.Server
	// executed are the results of what workers did, by action.
	executed map[string]*repb.ActionResult
	workers  *workers
}

// Start runs a server on a socket in a folder of the test's until the test ends.
func Start(t testing.TB, faults Faults) *Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(l, faults)
	s.Address = "unix:" + path
	t.Cleanup(s.server.Stop)
	return s
}

// Serve runs a server on a listener.
func Serve(l net.Listener, faults Faults, o ...grpc.ServerOption) *Server {
	s := &Server{Faults: faults, blobs: map[string][]byte{}, results: map[string]*repb.ActionResult{}, calls: map[string]int{},
		executed: map[string]*repb.ActionResult{}, workers: newWorkers(max(faults.Workers, 1))}
	o = append(o,
		grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := s.before(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return next(ctx, in)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if err := s.before(stream.Context(), info.FullMethod); err != nil {
				return err
			}
			return next(srv, stream)
		}))
	s.server = grpc.NewServer(o...)
	repb.RegisterActionCacheServer(s.server, s)
	repb.RegisterContentAddressableStorageServer(s.server, s)
	repb.RegisterCapabilitiesServer(s.server, s)
	bytestream.RegisterByteStreamServer(s.server, s)
	repb.RegisterExecutionServer(s.server, s)
	longrunningpb.RegisterOperationsServer(s.server, s)
	go func() { _ = s.server.Serve(l) }()
	return s
}

// Stop ends the server at once.
func (s *Server) Stop() { s.server.Stop() }

func (s *Server) before(ctx context.Context, full string) error {
	method := full[strings.LastIndex(full, "/")+1:]
	s.mu.Lock()
	s.calls[method]++
	s.mu.Unlock()
	time.Sleep(s.Faults.Latency)
	if s.Faults.Token != "" {
		md, _ := metadata.FromIncomingContext(ctx)
		if got := md.Get("authorization"); len(got) != 1 || got[0] != s.Faults.Token {
			return status.Error(codes.Unauthenticated, "no valid token")
		}
	}
	if s.Faults.Before != nil {
		return s.Faults.Before(ctx, method)
	}
	return nil
}

// Calls is how often each method was called, and all of them under "".
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for method, n := range s.calls {
		all[method] = n
		all[""] += n
	}
	return all
}

// Edit changes a result or removes it (nil) before it is given out.
func (s *Server) Edit(f func(key string, r *repb.ActionResult) *repb.ActionResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, r := range s.results {
		if r = f(key, r); r == nil {
			delete(s.results, key)
		} else {
			s.results[key] = r
		}
	}
}

// Put stores a blob and returns its digest.
func (s *Server) Put(text []byte) *repb.Digest {
	sum := sha256.Sum256(text)
	d := &repb.Digest{Hash: hex.EncodeToString(sum[:]), SizeBytes: int64(len(text))}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[d.Hash] = text
	return d
}

// Forget drops blobs for which f is true.
func (s *Server) Forget(f func(text []byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, text := range s.blobs {
		if f(text) {
			delete(s.blobs, hash)
		}
	}
}

// Replace has the server give out text for all blobs for which f is true.
func (s *Server) Replace(f func(text []byte) bool, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, was := range s.blobs {
		if f(was) {
			s.blobs[hash] = text
		}
	}
}

// Results is how many results there are, and Blobs how many blobs.
func (s *Server) Results() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.results) }

// Blobs is how many blobs there are.
func (s *Server) Blobs() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.blobs) }

func (s *Server) instance(name string) error {
	if name != s.Faults.Instance {
		return status.Errorf(codes.InvalidArgument, "instance %q is not known", name)
	}
	return nil
}

func (s *Server) blob(hash string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.blobs[hash]
	if ok && s.Faults.Corrupt > 0 && len(text) >= s.Faults.Corrupt {
		text = bytes.Clone(text)
		text[len(text)/2] ^= 4
	}
	return text, ok
}

// GetCapabilities implements the service Capabilities.
func (s *Server) GetCapabilities(_ context.Context, r *repb.GetCapabilitiesRequest) (*repb.ServerCapabilities, error) {
	if err := s.instance(r.InstanceName); err != nil {
		return nil, err
	}
	cache := &repb.CacheCapabilities{
		DigestFunctions:               []repb.DigestFunction_Value{repb.DigestFunction_SHA256},
		ActionCacheUpdateCapabilities: &repb.ActionCacheUpdateCapabilities{UpdateEnabled: !s.Faults.ReadOnly},
		MaxBatchTotalSizeBytes:        s.Faults.BatchBytes,
	}
	if s.Faults.Zstd {
		cache.SupportedCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
	}
	return &repb.ServerCapabilities{
		CacheCapabilities: cache, HighApiVersion: &semver.SemVer{Major: 2, Minor: 3},
		ExecutionCapabilities: &repb.ExecutionCapabilities{ExecEnabled: s.Faults.Worker != nil, DigestFunction: repb.DigestFunction_SHA256},
	}, nil
}

// GetActionResult implements the service ActionCache.
func (s *Server) GetActionResult(_ context.Context, r *repb.GetActionResultRequest) (*repb.ActionResult, error) {
	if err := s.instance(r.InstanceName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.results[r.ActionDigest.Hash]; got != nil {
		return got, nil
	}
	return nil, status.Error(codes.NotFound, "no result")
}

// UpdateActionResult implements the service ActionCache.
func (s *Server) UpdateActionResult(_ context.Context, r *repb.UpdateActionResultRequest) (*repb.ActionResult, error) {
	if s.Faults.ReadOnly {
		return nil, status.Error(codes.PermissionDenied, "read-only")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range []*repb.Digest{r.ActionDigest, r.ActionResult.OutputDirectories[0].TreeDigest} {
		if _, ok := s.blobs[d.Hash]; !ok {
			return nil, status.Errorf(codes.InvalidArgument, "blob %s is not there", d.Hash)
		}
	}
	s.results[r.ActionDigest.Hash] = r.ActionResult
	return r.ActionResult, nil
}

// FindMissingBlobs implements the service ContentAddressableStorage.
func (s *Server) FindMissingBlobs(_ context.Context, r *repb.FindMissingBlobsRequest) (*repb.FindMissingBlobsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &repb.FindMissingBlobsResponse{}
	for _, d := range r.BlobDigests {
		if _, ok := s.blobs[d.Hash]; !ok {
			out.MissingBlobDigests = append(out.MissingBlobDigests, d)
		}
	}
	return out, nil
}

func (s *Server) checkBatch(size int64) error {
	if s.Faults.BatchBytes > 0 && size > s.Faults.BatchBytes {
		return status.Errorf(codes.InvalidArgument, "a batch of %d bytes, the limit is %d", size, s.Faults.BatchBytes)
	}
	return nil
}

// BatchUpdateBlobs implements the service ContentAddressableStorage.
func (s *Server) BatchUpdateBlobs(_ context.Context, r *repb.BatchUpdateBlobsRequest) (*repb.BatchUpdateBlobsResponse, error) {
	size := int64(0)
	for _, one := range r.Requests {
		size += int64(len(one.Data))
	}
	if err := s.checkBatch(size); err != nil {
		return nil, err
	}
	out := &repb.BatchUpdateBlobsResponse{}
	for _, one := range r.Requests {
		st := &rpcstatus.Status{}
		if got := s.Put(one.Data); got.Hash != one.Digest.Hash {
			st.Code = int32(codes.InvalidArgument)
		}
		out.Responses = append(out.Responses, &repb.BatchUpdateBlobsResponse_Response{Digest: one.Digest, Status: st})
	}
	return out, nil
}

// BatchReadBlobs implements the service ContentAddressableStorage.
func (s *Server) BatchReadBlobs(_ context.Context, r *repb.BatchReadBlobsRequest) (*repb.BatchReadBlobsResponse, error) {
	out, size := &repb.BatchReadBlobsResponse{}, int64(0)
	for _, d := range r.Digests {
		size += d.SizeBytes
		text, ok := s.blob(d.Hash)
		st := &rpcstatus.Status{}
		if !ok {
			st.Code = int32(codes.NotFound)
		}
		out.Responses = append(out.Responses, &repb.BatchReadBlobsResponse_Response{Digest: d, Data: text, Status: st})
	}
	return out, s.checkBatch(size)
}

// Read implements the service ByteStream.
func (s *Server) Read(r *bytestream.ReadRequest, stream bytestream.ByteStream_ReadServer) error {
	parts := strings.Split(r.ResourceName, "/")
	if len(parts) < 3 {
		return status.Error(codes.InvalidArgument, r.ResourceName)
	}
	text, ok := s.blob(parts[len(parts)-2])
	if !ok {
		return status.Error(codes.NotFound, r.ResourceName)
	}
	if strings.Contains(r.ResourceName, "compressed-blobs/zstd/") {
		encoder, err := zstd.NewWriter(nil)
		if err != nil {
			return err
		}
		text = encoder.EncodeAll(text, nil)
	}
	end := len(text)
	if s.Faults.CutStreams {
		end /= 2
	}
	for at := 0; at < end; at += 64 << 10 {
		if err := stream.Send(&bytestream.ReadResponse{Data: text[at:min(at+64<<10, end)]}); err != nil {
			return err
		}
	}
	if s.Faults.CutStreams {
		return status.Error(codes.Unavailable, "cut")
	}
	return nil
}

// Write implements the service ByteStream.
func (s *Server) Write(stream bytestream.ByteStream_WriteServer) error {
	var text []byte
	name := ""
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if r.ResourceName != "" {
			name = r.ResourceName
		}
		text = append(text, r.Data...)
		if r.FinishWrite {
			break
		}
	}
	parts := strings.Split(name, "/")
	sent := int64(len(text))
	if strings.Contains(name, "compressed-blobs/zstd/") {
		decoder, err := zstd.NewReader(nil)
		if err != nil {
			return err
		}
		defer decoder.Close()
		if text, err = decoder.DecodeAll(text, nil); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	if got := s.Put(text); len(parts) < 2 || fmt.Sprintf("%s/%d", got.Hash, got.SizeBytes) != strings.Join(parts[len(parts)-2:], "/") {
		return status.Error(codes.InvalidArgument, "other bytes than named")
	}
	return stream.SendAndClose(&bytestream.WriteResponse{CommittedSize: sent})
}
