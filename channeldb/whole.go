package channeldb

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// checkWhole refuses a file that is shorter than it says it is, as one is that was
// copied in part: bbolt would touch memory that is not there, which ends a process
// without a word.
func checkWhole(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var need, latest uint64
	first := make([]byte, metaEnd)
	if _, err := f.ReadAt(first, 0); err != nil {
		return nothingThere(info, err)
	}
	second := make([]byte, metaEnd)
	size := binary.NativeEndian.Uint32(first[metaPageSize:])
	if _, err := f.ReadAt(second, int64(size)); err != nil && err != io.EOF {
		return err
	}
	for _, meta := range [][]byte{first, second} {
		sum := fnv.New64a()
		sum.Write(meta[pageHeader:metaSum])
		tx := binary.NativeEndian.Uint64(meta[metaTx:])
		if sum.Sum64() == binary.NativeEndian.Uint64(meta[metaSum:]) && tx >= latest {
			latest, need = tx, binary.NativeEndian.Uint64(meta[metaPages:])*uint64(size)
		}
	}
	if uint64(info.Size()) < need {
		return fmt.Errorf("the file has %d bytes, and was at least %d long: %w", info.Size(), need, ErrDamaged)
	}
	return nil
}

// nothingThere is no error for an empty file, which becomes a new database. What has
// no whole first page, bbolt judges.
func nothingThere(info os.FileInfo, err error) error {
	if err == io.EOF && info.Size() < metaEnd {
		return nil
	}
	return err
}

// Where things stand in bbolt's first two pages, which say the same of the last two
// transactions.
const (
	pageHeader   = 16
	metaPageSize = pageHeader + 8
	metaPages    = pageHeader + 40
	metaTx       = pageHeader + 48
	metaSum      = pageHeader + 56
	metaEnd      = pageHeader + 64
)
