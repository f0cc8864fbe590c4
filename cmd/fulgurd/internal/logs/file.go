package logs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// File is a log on the disk that only its owner may read. When it is full it gets a
// number, the higher the newer, and is compressed.
type File struct {
	path string
	max  int64 // bytes; 0: it is never full
	keep int   // files with a number

	mu   sync.Mutex
	f    *os.File
	size int64
	zips sync.WaitGroup
}

// Open opens a log for appending, and makes it and its directory if they are missing.
func Open(path string, maxBytes int64, keep int) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	l := &File{path: path, max: maxBytes, keep: keep}
	if keep <= 0 {
		l.max = 0
	}
	return l, l.open()
}

func (l *File) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open log: %w", err), f.Close())
	}
	l.f, l.size = f, st.Size()
	return nil
}

// Write implements io.Writer. A line is never cut in two.
func (l *File) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.max > 0 && l.size > 0 && l.size+int64(len(line)) > l.max {
		if err := l.turn(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(line)
	l.size += int64(n)
	return n, err
}

// turn puts the full file aside and begins a new one. When it cannot be renamed, it is
// written on: a log that grows is better than none.
func (l *File) turn() error {
	aside := fmt.Sprintf("%s.%d", l.path, l.next())
	if os.Rename(l.path, aside) != nil {
		l.size = 0
		return nil
	}
	old := l.f
	if err := l.open(); err != nil {
		return err
	}
	old.Close()
	l.zips.Go(func() { l.aside(aside) })
	return nil
}

// aside compresses a file and deletes those that are too many. What fails is left as it
// is, and counts when the next file is put aside.
func (l *File) aside(path string) {
	if compress(path, path+".gz") == nil {
		os.Remove(path)
	}
	numbers := l.numbers()
	for _, n := range numbers[:max(0, len(numbers)-l.keep)] {
		os.Remove(fmt.Sprintf("%s.%d", l.path, n))
		os.Remove(fmt.Sprintf("%s.%d.gz", l.path, n))
	}
}

func compress(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(to + ".tmp")
	w := gzip.NewWriter(out)
	_, err = io.Copy(w, in)
	if err = errors.Join(err, w.Close(), out.Close()); err != nil {
		return err
	}
	return os.Rename(to+".tmp", to)
}

// numbers are those of the files that were put aside, oldest first.
func (l *File) numbers() (list []int) {
	entries, _ := os.ReadDir(filepath.Dir(l.path))
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(l.path)+".")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(rest, ".gz")); err == nil && n > 0 && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

func (l *File) next() int {
	if list := l.numbers(); len(list) > 0 {
		return list[len(list)-1] + 1
	}
	return 1
}

// Tail are the last lines, as many as fit into so many bytes.
func (l *File) Tail(limit int64) ([]string, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	from := max(0, st.Size()-limit)
	text, err := io.ReadAll(io.NewSectionReader(f, from, st.Size()-from))
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if from > 0 { // the first one has lost its beginning
		lines = lines[1:]
	}
	return lines, nil
}

// Close ends it. Nothing may be written any more.
func (l *File) Close() error {
	l.zips.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
