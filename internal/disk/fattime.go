package disk

import (
	"encoding/binary"
	"io"
	"time"
)

// setTimes gives every entry of a FAT12 file system one time. The library writes the current time, also into
// entries that it offers no way to change (the label, "." and ".."), so that no two images would be equal.
//
// Source: Microsoft's FAT specification (fatgen103). A directory of ours never fills its first cluster.
func setTimes(f fatFile, start int64, at time.Time) error {
	var boot [512]byte
	if _, err := f.ReadAt(boot[:], start); err != nil {
		return err
	}
	u16 := func(at int) int64 { return int64(binary.LittleEndian.Uint16(boot[at:])) }
	bytesPerSector := u16(11)
	v := fatVolume{
		f: f, cluster: int64(boot[13]) * bytesPerSector,
		root:      start + (u16(14)+int64(boot[16])*u16(22))*bytesPerSector,
		rootBytes: u16(17) * fatEntry,
	}
	v.data = v.root + (v.rootBytes+bytesPerSector-1)/bytesPerSector*bytesPerSector
	v.date, v.time = fatTime(at)
	return v.directory(v.root, v.rootBytes, 0)
}

type fatFile interface {
	io.ReaderAt
	io.WriterAt
}

// fatEntry is the size of a directory entry.
const fatEntry = 32

type fatVolume struct {
	f                        fatFile
	cluster, root, rootBytes int64
	data                     int64 // where cluster 2 begins
	date, time               uint16
}

// fatTime counts from 1980 in steps of two seconds.
func fatTime(t time.Time) (date, clock uint16) {
	if t = t.UTC(); t.Year() < 1980 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	date = uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	return date, uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
}

func (v fatVolume) directory(at, size int64, depth int) error {
	b := make([]byte, size)
	if _, err := v.f.ReadAt(b, at); err != nil {
		return err
	}
	for e := b; len(e) >= fatEntry && e[0] != 0; e = e[fatEntry:] {
		const longName, isDir = 0x0f, 0x10
		if e[11]&0x3f == longName {
			continue
		}
		e[13] = 0 // tenths of a second
		binary.LittleEndian.PutUint16(e[14:], v.time)
		binary.LittleEndian.PutUint16(e[16:], v.date)
		binary.LittleEndian.PutUint16(e[18:], v.date)
		binary.LittleEndian.PutUint16(e[22:], v.time)
		binary.LittleEndian.PutUint16(e[24:], v.date)
		first := int64(binary.LittleEndian.Uint16(e[26:]))
		if e[11]&isDir == 0 || e[0] == '.' || first < 2 || depth == 8 {
			continue
		}
		if err := v.directory(v.data+(first-2)*v.cluster, v.cluster, depth+1); err != nil {
			return err
		}
	}
	_, err := v.f.WriteAt(b, at)
	return err
}
