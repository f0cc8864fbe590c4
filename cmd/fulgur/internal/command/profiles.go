package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/rpc/atomicfile"
)

// profiles are the nodes that somebody drives from this account, by name: where each is.
// They hold paths and no secrets.
type profiles struct {
	Default string             `json:"default,omitempty"`
	Nodes   map[string]profile `json:"nodes"`
}

// profile is values of global options by their names.
type profile map[string]string

// remembered are the options that a profile may hold.
var remembered = []string{"rpcserver", "fulgurdir", "network", "tlscertpath", "macaroonpath"}

// profilesPath lies beside the daemon's files, for whoever has no daemon here, too.
func profilesPath() string { return filepath.Join(client.DefaultDir(), "profiles.json") }

func readProfiles() (p profiles, err error) {
	text, err := os.ReadFile(profilesPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("read the profiles in %s: %w", profilesPath(), err)
	}
	if p.Nodes == nil {
		p.Nodes = map[string]profile{}
	}
	return p, nil
}

func (p *profiles) write() error {
	text, err := json.MarshalIndent(p, "", "    ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(profilesPath()), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(profilesPath(), append(text, '\n'), 0o600)
}

// chosen is the profile that counts, empty when there is none.
func chosen(c *cli.Command) (profile, error) {
	p, err := readProfiles()
	if err != nil {
		return nil, err
	}
	name := c.String("profile")
	if name == "" {
		name = p.Default
	}
	if name == "" {
		return nil, nil
	}
	node, ok := p.Nodes[name]
	if !ok {
		return nil, Usage("--profile=%s: there is no such profile (fulgur profile list)", name)
	}
	return node, nil
}

// option is a global option: what was typed, or what the profile says, or the default.
func (p profile) option(c *cli.Command, name string) string {
	if value, ok := p[name]; ok && !c.IsSet(name) {
		return value
	}
	return c.String(name)
}

// profileCommand needs no daemon.
func (a *App) profileCommand() *cli.Command {
	sub := func(name, usage, args, example string, do func(c *cli.Command, p *profiles, name string) error) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, ArgsUsage: args, Description: "Example: fulgur " + example, HideHelpCommand: true,
			Action: func(_ context.Context, c *cli.Command) error {
				p, err := readProfiles()
				if err != nil {
					return err
				}
				if args != "" && c.NArg() != 1 {
					return Usage("profile %s: one name is needed", name)
				}
				return do(c, &p, c.Args().First())
			}}
	}
	return &cli.Command{
		Name: "profile", Category: groupStart, Usage: "names for the nodes that you drive, so that --profile NAME is enough",
		Description: "Kept in " + profilesPath() + ": where each node is, and no secrets.", HideHelpCommand: true,
		Commands: []*cli.Command{
			sub("list", "the profiles", "", "profile list", a.listProfiles),
			sub("add", "remember the global options that are typed under a name", "NAME", "profile add mynode --rpcserver=mynode:10009 --network=signet", addProfile),
			sub("remove", "forget a profile", "NAME", "profile remove mynode", func(_ *cli.Command, p *profiles, name string) error {
				if _, ok := p.Nodes[name]; !ok {
					return Usage("profile remove: there is no profile %q", name)
				}
				delete(p.Nodes, name)
				if p.Default == name {
					p.Default = ""
				}
				return p.write()
			}),
			sub("setdefault", "the profile that counts without --profile", "NAME", "profile setdefault mynode", func(_ *cli.Command, p *profiles, name string) error {
				if _, ok := p.Nodes[name]; !ok {
					return Usage("profile setdefault: there is no profile %q", name)
				}
				p.Default = name
				return p.write()
			}),
			sub("unsetdefault", "without --profile the options count as they are", "", "profile unsetdefault", func(_ *cli.Command, p *profiles, _ string) error {
				p.Default = ""
				return p.write()
			}),
		},
	}
}

func addProfile(c *cli.Command, p *profiles, name string) error {
	node := profile{}
	for _, option := range remembered {
		if c.IsSet(option) {
			node[option] = c.String(option)
		}
	}
	for _, path := range []string{"fulgurdir", "tlscertpath", "macaroonpath"} {
		if value, ok := node[path]; ok && !strings.HasPrefix(value, "~") {
			full, err := filepath.Abs(value)
			if err != nil {
				return err
			}
			node[path] = full
		}
	}
	if len(node) == 0 {
		return Usage("profile add: give the options to remember, such as --rpcserver=HOST:PORT")
	}
	p.Nodes[name] = node
	return p.write()
}

func (a *App) listProfiles(c *cli.Command, p *profiles, _ string) error {
	if c.Bool("json") || !a.Term {
		return show.Value(a.Out, p)
	}
	t := show.NewTable("profile", "default", "options")
	for _, name := range slices.Sorted(maps.Keys(p.Nodes)) {
		var options []string
		for _, o := range slices.Sorted(maps.Keys(p.Nodes[name])) {
			options = append(options, "--"+o+"="+p.Nodes[name][o])
		}
		is := ""
		if name == p.Default {
			is = "yes"
		}
		t.Row(name, is, strings.Join(options, " "))
	}
	t.Print(a.Out)
	return nil
}
