package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHealthAttempts: a check shuts down after so many failures in a row, with words;
// with none allowed it goes on looking, and tells when all is well again.
func TestHealthAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		results := []error{nil, errors.New("away"), nil, errors.New("away"), errors.New("away"), errors.New("gone")}
		looks, began := 0, time.Now()
		c := &check{
			name: "chainbackend", checkOptions: checkOptions{Interval: time.Hour, Attempts: 3, Timeout: time.Second, Backoff: time.Minute},
			log: slog.New(slog.DiscardHandler), look: func(context.Context) error { looks++; return results[looks-1] },
		}
		var end error
		c.run(ctx, func(err error) { end = err })
		require.ErrorContains(t, end, "--healthcheck.chainbackend.attempts=3 says to shut down then: gone")
		require.Equal(t, 6, looks)
		require.Equal(t, time.Hour+time.Minute+time.Hour+2*time.Minute, time.Since(began))
		require.True(t, c.bad.Load())

		c = &check{
			checkOptions: checkOptions{Interval: time.Minute, Timeout: time.Second, Backoff: time.Second}, log: slog.New(slog.DiscardHandler),
			look: func(ctx context.Context) error {
				if looks++; looks < 500 {
					<-ctx.Done() // as something that hangs
					return ctx.Err()
				}
				return nil
			},
		}
		go c.run(ctx, func(err error) { t.Error(err) })
		time.Sleep(time.Hour)
		synctest.Wait()
		require.True(t, c.bad.Load())
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		require.False(t, c.bad.Load(), "a chain backend that was away for hours is waited for")
	})
}

func TestHealthOptions(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest")
	require.NoError(t, err)
	require.Zero(t, c.Health.Chain.Attempts, "by itself, no check ends the node")
	require.Equal(t, defaultHealth, c.Health)
	c, err = load(t, "--bitcoin.regtest", "--healthcheck.chainbackend.attempts=0", "--healthcheck.chainbackend.interval=0s", "--healthcheck.diskspace.diskrequired=0.2")
	require.NoError(t, err)
	require.Equal(t, time.Minute, c.Health.Chain.Interval)
	require.Equal(t, 0.2, c.Health.Disk.Required)
	require.Equal(t, 12*time.Hour, c.Health.Disk.Interval)
	for _, bad := range [][]string{
		{"--healthcheck.chainbackend.attempts=1", "--healthcheck.chainbackend.interval=1s"}, {"--healthcheck.clock.attempts=-1"},
		{"--healthcheck.diskspace.diskrequired=1"}, {"--healthcheck.diskspace.attempts=1", "--healthcheck.diskspace.backoff=1ms"},
	} {
		_, err := load(t, append([]string{"--bitcoin.regtest"}, bad...)...)
		require.ErrorContains(t, err, "--healthcheck.", "%v", bad)
	}
	c, err = load(t, "--bitcoin.regtest", "--healthcheck.tls.attempts=1")
	require.NoError(t, err)
	require.Len(t, c.warnings, 1)
}

func TestDiskLook(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--datadir="+t.TempDir(), "--dev.channeldir="+t.TempDir())
	if !devBuild {
		require.ErrorContains(t, err, "tag dev")
		c, err = load(t, "--bitcoin.regtest")
		require.NoError(t, err)
	}
	c.Dev.ChannelDir = t.TempDir()
	d := &daemon{cfg: c}
	c.Health.Disk.Required = 0
	require.NoError(t, d.lookDisk(t.Context()))
	c.Health.Disk.Required = 0.9999999
	require.ErrorContains(t, d.lookDisk(t.Context()), "make room")
	c.Dev.ChannelDir = filepath.Join(c.dir, "missing")
	require.ErrorContains(t, d.lookDisk(t.Context()), "measure the disk")
}

type stuck chan error

func (s stuck) Barrier() error { return <-s }

// TestStoreLook: a writer that hangs is told, and asked once only.
func TestStoreLook(t *testing.T) {
	s := storeLook{db: make(stuck)}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		require.ErrorContains(t, s.look(late), "look at the disk")
	}
	s.db.(stuck) <- nil
	require.NoError(t, s.look(t.Context()))
	require.Nil(t, s.pending)
}

func TestClockLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clockLook{last: time.Now()}
		require.NoError(t, c.look(time.Time{}))
		require.NoError(t, c.look(time.Now().Add(time.Hour)))
		require.ErrorContains(t, c.look(time.Now().Add(3*time.Hour)), "the clock is behind: the last block is from 3h0m0s later")
		time.Sleep(time.Hour)
		require.NoError(t, c.look(time.Time{}))
	})
}

// TestSystemd: the service manager is told what it asks for.
func TestSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	d := &daemon{log: slog.New(slog.DiscardHandler)}
	d.tellSystemd("READY=1")
	b := make([]byte, 100)
	n, err := l.Read(b)
	require.NoError(t, err)
	require.Equal(t, "READY=1", string(b[:n]))
	t.Setenv("NOTIFY_SOCKET", path+".gone")
	d.tellSystemd("READY=1")
}
