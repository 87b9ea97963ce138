package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/pannous/redox-clif/internal/secretkey"
)

const (
	sector = 512
	mib    = 1 << 20
	// maxMiB is the size of the largest image, 16 TiB: what ext4 takes as one file.
	maxMiB = 16 << 20

	// Where things start, in sectors. With a boot partition of 1 MiB RedoxFS begins at exactly 2 MiB, where the
	// boot loader looks also on a disk whose table it cannot read.
	biosStart = 34
	efiStart  = 2048
	// reserved sectors at the end hold the second copy of the table; the last partition ends at a whole MiB before them.
	reserved = 34

	rootName = "REDOX"
	// redoxfsMagic is what the first block of every RedoxFS begins with.
	redoxfsMagic = "RedoxFS\x00"
)

// Part is a place in an image, in bytes.
type Part struct{ Offset, Length int64 }

// layout are the sizes an image is cut into.
type layout struct {
	size, efi int64 // bytes
}

func (l layout) check() error {
	switch {
	case l.size%mib != 0 || l.efi%mib != 0:
		return errors.New("sizes are whole MiB")
	case l.efi < mib || l.efi > 32*mib:
		return errors.New("the boot partition has 1 to 32 MiB")
	case l.root().Length < 2*mib:
		return fmt.Errorf("%d MiB are too few: the table takes 1, the boot partition %d, alignment 1, and RedoxFS wants 2", l.size/mib, l.efi/mib)
	}
	return nil
}

func (l layout) boot() Part { return Part{efiStart * sector, l.efi} }

func (l layout) root() Part {
	start := int64(efiStart*sector) + l.efi
	end := (l.size - reserved*sector) / mib * mib
	return Part{start, end - start}
}

// table is the partition table. Its identifiers come from the image's own, so that equal images are equal bytes.
func (l layout) table(id UUID) *gpt.Table {
	part := func(i int, kind gpt.Type, name string, start, length int64) *gpt.Partition {
		return &gpt.Partition{Index: i, Start: uint64(start / sector), End: uint64((start+length)/sector - 1),
			Type: kind, Name: name, GUID: id.derive(name).String()}
	}
	boot, root := l.boot(), l.root()
	return &gpt.Table{
		LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true, GUID: id.derive("GPT").String(),
		Partitions: []*gpt.Partition{
			part(1, gpt.BIOSBoot, "BIOS", biosStart*sector, (efiStart-biosStart)*sector),
			part(2, gpt.EFISystemPartition, "EFI", boot.Offset, boot.Length),
			part(3, gpt.LinuxFilesystem, rootName, root.Offset, root.Length),
		},
	}
}

// format writes the partition table and the boot partition with its one file.
func (l layout) format(path string, id UUID, loaderName string, loader io.Reader, at time.Time) (err error) {
	disk, err := file.OpenFromPath(path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	w, err := disk.Writable()
	if err != nil {
		return err
	}
	if err := l.table(id).Write(w, l.size); err != nil {
		return fmt.Errorf("partition table: %w", err)
	}
	if loader == nil {
		return nil
	}
	if err := formatBoot(disk, l.boot(), loaderName, loader, at); err != nil {
		return fmt.Errorf("boot partition: %w", err)
	}
	return nil
}

func formatBoot(disk backend.Storage, boot Part, name string, loader io.Reader, at time.Time) error {
	fs, err := fat12.Create(disk, boot.Length, boot.Offset, sector, "EFI", true)
	if err != nil {
		return err
	}
	for _, dir := range []string{"/EFI", "/EFI/BOOT"} {
		if err := fs.Mkdir(dir); err != nil {
			return err
		}
	}
	path := "/EFI/BOOT/" + name
	f, err := fs.OpenFile(path, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, loader); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	w, err := disk.Writable()
	if err != nil {
		return err
	}
	return setTimes(w, boot.Offset, at)
}

// SetLoader formats the boot partition of an image anew, with another boot loader. It writes in place: the image is a
// private copy of the caller's.
func SetLoader(path, name, loader string, at time.Time) (err error) {
	if err := secretkey.CheckFile(loader); err != nil {
		return err
	}
	from, err := os.Open(loader)
	if err != nil {
		return err
	}
	defer from.Close()
	disk, err := file.OpenFromPath(path, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	sys, err := disk.Sys()
	if err != nil {
		return err
	}
	boot, err := findBoot(sys)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := fits(from, boot.Length); err != nil {
		return err
	}
	w, err := disk.Writable()
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.NewOffsetWriter(w, boot.Offset), io.LimitReader(nothing{}, boot.Length)); err != nil {
		return err
	}
	return formatBoot(disk, boot, name, from, at)
}

// nothing reads as zeros without end.
type nothing struct{}

func (nothing) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func findBoot(f *os.File) (Part, error) {
	table, err := readTable(f)
	if err != nil {
		return Part{}, fmt.Errorf("partition table: %w", err)
	}
	for _, p := range table.Partitions {
		if p.Type == gpt.EFISystemPartition {
			return partOf(table, p), nil
		}
	}
	return Part{}, errors.New("no boot partition")
}

// fits refuses a boot loader that a boot partition of so many bytes cannot hold.
func fits(loader *os.File, length int64) error {
	if info, err := loader.Stat(); err == nil && info.Size() > length*9/10 {
		return fmt.Errorf("the boot loader has %d bytes, too many for a boot partition of %d MiB; raise efi-mib", info.Size(), length/mib)
	}
	return nil
}

func has(f io.ReaderAt, text string, at int64) bool {
	b := make([]byte, len(text))
	_, err := f.ReadAt(b, at)
	return err == nil && string(b) == text
}
