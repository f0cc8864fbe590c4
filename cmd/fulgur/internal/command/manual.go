package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"
)

// groups is the order in which people meet them.
var groups = []string{groupStart, groupPeers, groupChannels, groupPay, groupForward, groupGraph, groupCoins, groupBackups, groupWatch, groupAdmin, groupLocal}

// rootHelp is urfave's text with the commands in our order.
const rootHelp = `NAME:
   {{.Name}} - {{.Usage}}

USAGE:
   {{.Name}} [global options] COMMAND [options] [arguments]

{{.Description}}

{{call (index .Metadata "contents")}}
GLOBAL OPTIONS:{{range .VisibleFlags}}
   {{.}}{{end}}
`

// contents lists the commands by group, as the help and the manual begin with.
func contents(root *cli.Command) string {
	var b strings.Builder
	width := 0
	for _, c := range root.Commands {
		width = max(width, len(c.Name))
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "\n%s\n", group)
		for _, c := range root.Commands {
			if c.Category == group && !c.Hidden {
				fmt.Fprintf(&b, "  %-*s  %s\n", width, c.Name, c.Usage)
			}
		}
	}
	return strings.TrimLeft(b.String(), "\n")
}

// manual is the command that writes the manual page of the whole command line.
func (a *App) manual() *cli.Command {
	return &cli.Command{
		Name: "man", Category: groupStart, Usage: "print the manual page of all commands",
		Description: "Example: fulgur man > /usr/local/share/man/man1/fulgur.1", HideHelpCommand: true,
		Action: func(_ context.Context, c *cli.Command) error {
			w := &roff{w: a.Out}
			w.page(c.Root())
			return w.err
		},
	}
}

// roff writes a page for man(1).
type roff struct {
	w   io.Writer
	err error
}

// request writes a line that roff obeys.
func (r *roff) request(name string, args ...string) {
	for i, arg := range args {
		args[i] = `"` + strings.ReplaceAll(escape(arg), `"`, `\(dq`) + `"`
	}
	r.write("." + strings.TrimSpace(name+" "+strings.Join(args, " ")))
}

// text writes lines that are read.
func (r *roff) text(lines string) {
	for _, line := range strings.Split(strings.Trim(lines, "\n"), "\n") {
		if line == "" {
			r.request("PP")
			continue
		}
		if line = escape(line); strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		r.write(line)
	}
}

func (r *roff) write(line string) {
	if r.err == nil {
		_, r.err = fmt.Fprintln(r.w, line)
	}
}

func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}

func (r *roff) page(root *cli.Command) {
	r.request("TH", strings.ToUpper(root.Name), "1")
	r.request("SH", "NAME")
	r.text(root.Name + " - " + root.Usage)
	r.request("SH", "SYNOPSIS")
	r.text(root.Name + " [global options] COMMAND [options] [arguments]")
	r.request("SH", "DESCRIPTION")
	r.text(root.Description)
	r.request("SH", "GLOBAL OPTIONS")
	r.options(root.Flags)
	for _, group := range groups {
		r.request("SH", strings.ToUpper(group))
		for _, c := range root.Commands {
			if c.Category == group && !c.Hidden {
				r.command(root.Name, c)
			}
		}
	}
}

func (r *roff) command(before string, c *cli.Command) {
	name := before + " " + c.Name
	r.request("SS", strings.TrimSpace(name+" "+c.ArgsUsage))
	r.text(strings.ToUpper(c.Usage[:1]) + c.Usage[1:] + ".")
	if c.Description != "" {
		r.request("PP")
		r.text(c.Description)
	}
	r.options(c.Flags)
	for _, sub := range c.Commands {
		if !sub.Hidden && sub.Name != "help" {
			r.command(name, sub)
		}
	}
}

func (r *roff) options(flags []cli.Flag) {
	for _, f := range flags {
		if d, ok := f.(cli.DocGenerationFlag); ok && f.Names()[0] != "help" {
			r.request("TP")
			name := "--" + strings.Join(f.Names(), ", --")
			if d.TakesValue() {
				name += "=" + strings.ToUpper(d.TypeName())
			}
			r.request("B", name)
			r.text(strings.ReplaceAll(d.GetUsage(), "`", ""))
		}
	}
}
