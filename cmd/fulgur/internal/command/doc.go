// Package command is what can be typed: a tree of commands with lncli's names and
// flags, each of which makes one or a few calls to the daemon and prints the answer.
//
// It owns names, flags, help texts and exit codes (0 done, 1 failed, 2 not
// understood). It must never hold a rule of the node: what is allowed, and what
// happens, the daemon says.
//
// An answer is printed as JSON when --json is given or when standard output is not a
// terminal, so that scripts need no flag; in a terminal it is a table. Progress and
// errors go to standard error.
//
//	app := &command.App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Term: true}
//	os.Exit(app.Run(ctx, os.Args))
package command
