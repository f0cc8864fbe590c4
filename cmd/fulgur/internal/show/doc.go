// Package show turns answers into what a person or a program reads: JSON in the
// manner of lncli (names as in the .proto files, bytes in hex, 64-bit numbers as
// text, nothing left out), and tables with units for a terminal.
//
// It owns formats only. It must never know what a command is, nor speak to a daemon.
//
//	show.JSON(os.Stdout, resp)
//	t := show.NewTable("peer", "amount>")
//	t.Row("bob", show.Sat(1_000_000)) // 1,000,000 sat
//	t.Print(os.Stdout)
package show
