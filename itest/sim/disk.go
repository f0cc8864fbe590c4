package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// torn is a write that the power went away in: of the pages that it changed any may
// have reached the disk, and the page that makes them count only if all of them have.
type torn struct {
	path     string
	seed     uint64
	was, now []byte
}

const pageSize = 4096

func (t *torn) before() (err error) {
	t.was, err = os.ReadFile(t.path)
	return err
}

func (t *torn) after() (err error) {
	t.now, err = os.ReadFile(t.path)
	return err
}

// leave puts on the disk what was left of the write. The first two pages say in turn
// which tree counts: they are written last, so the new one is never whole here.
func (t *torn) leave() error {
	random := rand.New(rand.NewPCG(t.seed, 2))
	out := bytes.Clone(t.now)
	for at := 0; at < len(out); at += pageSize {
		end := min(at+pageSize, len(out))
		page := out[at:end]
		switch {
		case end > len(t.was): // beyond the end of the file as it was
			if random.IntN(2) == 0 {
				clear(page)
			}
		case bytes.Equal(page, t.was[at:end]):
		case at < 2*pageSize:
			torn := random.IntN(3) * 40 // bytes of the new one; of 80 that count some are missing
			copy(page[torn:], t.was[at+torn:end])
			if torn > 0 && bytes.Equal(page[:80], t.now[at:at+80]) {
				page[79] ^= 1
			}
		case random.IntN(2) == 0:
			copy(page, t.was[at:end])
		}
	}
	if err := os.WriteFile(t.path, out, 0o600); err != nil {
		return fmt.Errorf("tear %s: %w", t.path, err)
	}
	return nil
}

// shelf keeps the files of a world that has been built, to begin others with.
type shelf map[string]file

type file struct {
	data []byte // without the zeros at the end
	size int64
}

// keep reads the files of all homes.
func (s shelf) keep(homes []*home) error {
	for _, h := range homes {
		for _, name := range []string{"fulgur.db", "graph.db"} {
			b, err := os.ReadFile(filepath.Join(h.dir, name))
			if err != nil {
				return err
			}
			s[h.name+"/"+name] = file{bytes.TrimRight(b, "\x00"), int64(len(b))}
		}
	}
	return nil
}

// lay puts them into the homes.
func (s shelf) lay(homes []*home) error {
	for _, h := range homes {
		if err := os.MkdirAll(h.dir, 0o700); err != nil {
			return err
		}
		for _, name := range []string{"fulgur.db", "graph.db"} {
			f, path := s[h.name+"/"+name], filepath.Join(h.dir, name)
			if err := os.WriteFile(path, f.data, 0o600); err != nil {
				return err
			}
			if err := os.Truncate(path, f.size); err != nil {
				return err
			}
		}
	}
	return nil
}

// scratch is a directory in memory, where there is one.
func scratch() (string, error) {
	dir := os.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		dir = "/dev/shm"
	}
	return os.MkdirTemp(dir, "fulgur-sim-")
}
