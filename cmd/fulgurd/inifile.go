package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jessevdk/go-flags"
)

// readFile reads the configuration file, if there is one. A file that was named
// must be there.
func readFile(parser *flags.Parser, pre *options, dir string) error {
	path := pre.ConfigFile
	if path == "" {
		name := "fulgur.conf"
		if pre.LndDir != "" {
			name = "lnd.conf"
		}
		path = filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	path = expand(path)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	err = flags.NewIniParser(parser).Parse(bytes.NewReader(oneSection(text)))
	var bad *flags.IniError
	if errors.As(err, &bad) {
		what := bad.Message
		if name, ok := strings.CutPrefix(what, "unknown option: "); ok {
			what = unsupported(name)
		}
		return fmt.Errorf("configuration file %s, line %d: %s", path, bad.LineNumber, what)
	}
	if err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	return nil
}

// oneSection takes the section headers out of a configuration file. Every option says
// its section in its name, so that they tell nothing new; and the parser would go
// through the sections in an order of chance, when of an option in two of them the
// later one shall count.
func oneSection(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if line = bytes.TrimSpace(line); bytes.HasPrefix(line, []byte("[")) && bytes.HasSuffix(line, []byte("]")) {
			lines[i] = nil
		}
	}
	return bytes.Join(lines, []byte("\n"))
}
