// Package logs is the daemon's log: lines of key=value, a level for each subsystem that
// can be changed while the node runs, and files that are put aside when they are full.
//
// It owns where lines go and which ones. It must never know what they are about: a
// package says its subsystem by the attribute Key of its logger.
//
//	levels := logs.NewLevels()
//	err := levels.Set("info,PEER=debug")
//	log := slog.New(logs.NewHandler(levels, logs.Sink{W: os.Stdout}))
//	log.With(logs.Key, "PEER").Debug("connected")
package logs
