package itest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// disk puts the node's directory on a small disk of its own, if this process may mount
// one.
func (n *node) disk(size string) bool {
	n.t.Helper()
	if err := unix.Mount("tmpfs", n.dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		n.t.Logf("no disk of its own for %s: %v", n.name, err)
		return false
	}
	n.t.Cleanup(func() { // before the process ends, which is why it is let go of lazily
		require.NoError(n.t, unix.Unmount(n.dir, unix.MNT_DETACH))
	})
	return true
}

// fill takes room from the node's disk until so many bytes are left, and gives back
// the means to free it.
func (n *node) fill(left uint64) (free func()) {
	n.t.Helper()
	path := filepath.Join(n.dir, "filler")
	f, err := os.Create(path)
	require.NoError(n.t, err)
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for {
		var s unix.Statfs_t
		require.NoError(n.t, unix.Statfs(n.dir, &s))
		room := s.Bavail * uint64(s.Bsize)
		if room <= left {
			break
		}
		if _, err := f.Write(chunk[:min(room-left, uint64(len(chunk)))]); err != nil {
			require.ErrorIs(n.t, err, unix.ENOSPC)
			break
		}
	}
	return func() { require.NoError(n.t, os.Remove(path)) }
}

// TestDiskFull: below a floor the node takes no new work and says so, with no room at
// all it ends rather than go on with what is not written; with room it goes on as if
// nothing had happened.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.newNode("alice", "--noseedbackup"), w.node("bob")
	if !alice.disk("200m") {
		return // TestWriteFails does not need one
	}
	alice.start()
	alice.fund(3_000_000)
	alice.connect(bob)
	point := alice.open(bob, 1_000_000)
	alice.pay(bob.invoice(300_000_000))
	bob.pay(alice.invoice(100_000_000))
	settled(alice, bob)
	theirs := alice.invoice(1_000_000)

	free := alice.fill(32 << 20)
	w.mine(1) // something is written
	ours := bob.invoice(1_000_000)
	for what, ask := range map[string]func() error{
		"AddInvoice": func() error { _, err := alice.ln.AddInvoice(soon(t), &lnrpc.Invoice{Value: 1}); return err },
		"Pay":        func() error { _, err := alice.send(soon(t), payRequest(ours)); return err },
		"OpenChannel": func() error {
			stream, err := alice.ln.OpenChannel(soon(t), alice.openRequest(bob, 200_000))
			require.NoError(t, err)
			_, err = stream.Recv()
			return err
		},
	} {
		require.ErrorContains(t, ask(), "the disk is nearly full", what)
	}
	free()
	alice.invoice(1_000) // at once, without a word
	bob.pay(theirs)
	settled(alice, bob)

	var more []string
	for range 300 {
		more = append(more, alice.invoice(10_000))
	}
	owned, coins := alice.inChannels(), alice.wallet().ConfirmedBalance
	free = alice.fill(0)
	alice.expectEnd = true
	tried := 0
	for ; tried < len(more) && alice.up(); tried++ { // until a write does not find room any more
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-alice.proc.done; cancel() }()
		_, _ = bob.send(ctx, payRequest(more[tried])) // what became of it is asked below
		cancel()
	}
	require.NotZero(t, alice.proc.ended(t))
	require.Contains(t, alice.log(), "no space left on device")
	alice.hangUp()
	free()
	alice.start()
	alice.active(point)
	for _, request := range more[:tried] {
		if fate(bob, request) == lnrpc.Payment_SUCCEEDED {
			owned += 10_000
		}
	}
	settled(alice, bob)
	require.Equal(t, owned, alice.inChannels())
	require.Equal(t, coins, alice.wallet().ConfirmedBalance)
	alice.pay(bob.invoice(5_000_000))
	bob.pay(alice.invoice(5_000_000))
}

// TestDiskReadOnly: the node does not start on a disk that it cannot write to, and says
// so; nothing has changed when it can.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.newNode("alice", "--noseedbackup")
	if !alice.disk("200m") {
		readOnlyDirectory(t, alice)
		return
	}
	alice.start()
	id := alice.id
	alice.fund(1_000_000)
	alice.stop()
	require.NoError(t, unix.Mount("", alice.dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	alice.endsWith("read-only file system")
	require.NoError(t, unix.Mount("", alice.dir, "", unix.MS_REMOUNT, ""))
	alice.start()
	require.Equal(t, id, alice.id)
	require.Equal(t, int64(1_000_000), alice.wallet().ConfirmedBalance)
}

// readOnlyDirectory is the same by the rights of a directory, for who is not root.
func readOnlyDirectory(t *testing.T, alice *node) {
	t.Helper()
	alice.start()
	id := alice.id
	alice.stop()
	require.NoError(t, os.Chmod(alice.chainDir(), 0o500))
	db := filepath.Join(alice.chainDir(), "fulgur.db")
	require.NoError(t, os.Chmod(db, 0o400))
	alice.endsWith("permission denied")
	require.NoError(t, os.Chmod(db, 0o600))
	require.NoError(t, os.Chmod(alice.chainDir(), 0o700))
	alice.start()
	require.Equal(t, id, alice.id)
}

// TestWriteFails makes every write of a running node fail, in the middle of payments.
// The process ends, and what it had promised holds when it is started again.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, points := w.line(2_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	s := &siege{t: t, alice: alice, bob: bob, carol: carol, points: points}
	s.amount.Store(900_000)
	start := []int64{alice.inChannels(), bob.inChannels(), carol.inChannels()}
	for _, victim := range []*node{bob, alice, carol} {
		s.pays(2, func() {
			s.progress(3)
			limit := unix.Rlimit{Cur: 4096, Max: unix.RLIM_INFINITY}
			require.NoError(t, unix.Prlimit(victim.proc.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
			victim.expectEnd = true
			require.NotZero(t, victim.proc.ended(t))
			victim.hangUp()
			victim.start()
			s.progress(2)
		})
		settled(nodes...)
		s.check(start)
	}
}
