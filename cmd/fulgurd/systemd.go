package main

import (
	"net"
	"os"
)

// tellSystemd tells the service manager how far the daemon is, if it asked for that
// (Type=notify). Nothing depends on whether it hears it.
func (d *daemon) tellSystemd(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' { // in the abstract namespace
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		d.log.Warn("the service manager cannot be told that the daemon runs", "err", err)
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		d.log.Warn("the service manager cannot be told that the daemon runs", "err", err)
	}
}
