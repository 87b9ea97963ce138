package qemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// The log that QEMU's driver blklogwrites writes is that of Linux's device mapper target log-writes: all
// integers little-endian, each entry's head in a sector of its own and its data in the sectors after it.
const (
	writeLogMagic   = 0x6a736677736872
	writeLogVersion = 1

	logFlush   = 1 << 0
	logDiscard = 1 << 2
)

// writeLogHead is the first sector of a log.
type writeLogHead struct {
	Magic, Version uint64
	Entries        uint64 // that are complete; brought up to date at every flush
	SectorSize     uint32
}

// writeLogEntry is one request of the guest; sectors are those of the head. Its data is as long as its sectors are:
// Mark is the length of a text that only the device mapper puts into a log.
type writeLogEntry struct {
	Sector, Sectors, Flags, Mark uint64
}

// Replayed counts what ReplayFlushed did.
type Replayed struct {
	Flushes int `json:"flushes"` // requests of the guest
	Writes  int `json:"writes"`  // that a flush came after
	Lost    int `json:"lost"`    // writes that none came after
}

// ReplayFlushed makes of a disk as it was before a run the disk that a power cut at the end of the run would leave
// in the worst case: it has the writes that the guest flushed, and no other. log is the run's Drive.WriteLog.
func ReplayFlushed(log, disk string) (r Replayed, err error) {
	in, err := os.Open(log)
	if err != nil {
		return r, err
	}
	defer in.Close()
	out, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	entries, err := readWriteLog(in)
	if err != nil {
		return r, fmt.Errorf("%s: %w", log, err)
	}
	flushed := 0 // entries up to the last flush
	for i, e := range entries {
		if e.Flags&logFlush != 0 {
			flushed = i + 1
			r.Flushes++
		}
	}
	for i, e := range entries {
		if e.Length == 0 && e.Flags&logDiscard == 0 {
			continue
		}
		if i >= flushed {
			r.Lost++
			continue
		}
		r.Writes++
		if err := e.apply(in, out); err != nil {
			return r, fmt.Errorf("%s: request %d: %w", log, i, err)
		}
	}
	return r, nil
}

// loggedRequest is an entry with the places of its data, in bytes.
type loggedRequest struct {
	Flags          uint64
	From, To       int64 // in the log, on the disk
	Length         int64
	DiscardedBytes int64
}

func (e loggedRequest) apply(log io.ReaderAt, disk io.WriterAt) error {
	if e.Flags&logDiscard != 0 {
		return zero(disk, e.To, e.DiscardedBytes)
	}
	_, err := io.Copy(io.NewOffsetWriter(disk, e.To), io.NewSectionReader(log, e.From, e.Length))
	return err
}

func zero(disk io.WriterAt, at, n int64) error {
	blank := make([]byte, 1<<16)
	for n > 0 {
		part := min(n, int64(len(blank)))
		if _, err := disk.WriteAt(blank[:part], at); err != nil {
			return err
		}
		at, n = at+part, n-part
	}
	return nil
}

// readWriteLog finds the requests of a log. An empty log, of a guest that did not get so far as to write, has none.
func readWriteLog(log *os.File) ([]loggedRequest, error) {
	info, err := log.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	var head writeLogHead
	if err := readAt(log, 0, &head); err != nil {
		return nil, err
	}
	if head == (writeLogHead{}) { // comes with the first flush
		return nil, nil
	}
	if head.Magic != writeLogMagic || head.Version != writeLogVersion || head.SectorSize < 512 {
		return nil, fmt.Errorf("no log of writes: magic %#x, version %d, sectors of %d bytes", head.Magic, head.Version, head.SectorSize)
	}
	size := int64(head.SectorSize)
	var requests []loggedRequest
	for at, n := size, uint64(0); n < head.Entries; n++ {
		var e writeLogEntry
		if err := readAt(log, at, &e); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", n, head.Entries, err)
		}
		at += size
		if most := uint64(math.MaxInt64 / size); e.Sector > most || e.Sectors > most || e.Mark != 0 {
			return nil, fmt.Errorf("entry %d of %d: no request: %d sectors at %d, a mark of %d bytes", n, head.Entries, e.Sectors, e.Sector, e.Mark)
		}
		r := loggedRequest{Flags: e.Flags, From: at, To: int64(e.Sector) * size}
		if e.Flags&logDiscard != 0 { // has no data in the log
			r.DiscardedBytes = int64(e.Sectors) * size
		} else {
			r.Length = int64(e.Sectors) * size
		}
		if r.Length > info.Size()-at {
			return nil, fmt.Errorf("entry %d of %d: data of %d sectors reach beyond the end", n, head.Entries, e.Sectors)
		}
		at += r.Length
		requests = append(requests, r)
	}
	return requests, nil
}

func readAt(r io.ReaderAt, at int64, into any) error {
	return binary.Read(io.NewSectionReader(r, at, int64(binary.Size(into))), binary.LittleEndian, into)
}
