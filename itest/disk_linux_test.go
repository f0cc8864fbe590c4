package itest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// disk puts the node's directory on a small disk of its own, if this process may mount
// one.
func disk(n *rig.Node, size string) bool {
	n.T.Helper()
	if err := unix.Mount("tmpfs", n.Dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		n.T.Logf("no disk of its own for %s: %v", n.Name, err)
		return false
	}
	n.T.Cleanup(func() { // before the process ends, which is why it is let go of lazily
		require.NoError(n.T, unix.Unmount(n.Dir, unix.MNT_DETACH))
	})
	return true
}

// fill takes room from the node's disk until so many bytes are left, and gives back
// the means to free it.
func fill(n *rig.Node, left uint64) (free func()) {
	n.T.Helper()
	path := filepath.Join(n.Dir, "filler")
	f, err := os.Create(path)
	require.NoError(n.T, err)
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for {
		var s unix.Statfs_t
		require.NoError(n.T, unix.Statfs(n.Dir, &s))
		room := s.Bavail * uint64(s.Bsize)
		if room <= left {
			break
		}
		if _, err := f.Write(chunk[:min(room-left, uint64(len(chunk)))]); err != nil {
			require.ErrorIs(n.T, err, unix.ENOSPC)
			break
		}
	}
	return func() { require.NoError(n.T, os.Remove(path)) }
}

// TestDiskFull: below a floor the node takes no new work and says so, with no room at
// all it ends rather than go on with what is not written; with room it goes on as if
// nothing had happened.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.NewNode("alice", "--noseedbackup"), w.Node("bob")
	if !disk(alice, "200m") {
		return // TestWriteFails does not need one
	}
	alice.Start()
	alice.Fund(3_000_000)
	alice.Connect(bob)
	point := alice.Open(bob, 1_000_000)
	alice.Pay(bob.Invoice(300_000_000))
	bob.Pay(alice.Invoice(100_000_000))
	rig.Settled(alice, bob)
	theirs := alice.Invoice(1_000_000)

	free := fill(alice, 32<<20)
	w.Mine(1) // something is written
	ours := bob.Invoice(1_000_000)
	for what, ask := range map[string]func() error{
		"AddInvoice": func() error { _, err := alice.LN.AddInvoice(rig.Soon(t), &lnrpc.Invoice{Value: 1}); return err },
		"Pay":        func() error { _, err := alice.Send(rig.Soon(t), rig.PayRequest(ours)); return err },
		"OpenChannel": func() error {
			stream, err := alice.LN.OpenChannel(rig.Soon(t), alice.OpenRequest(bob, 200_000))
			require.NoError(t, err)
			_, err = stream.Recv()
			return err
		},
	} {
		require.ErrorContains(t, ask(), "the disk is nearly full", what)
	}
	free()
	alice.Invoice(1_000) // at once, without a word
	bob.Pay(theirs)
	rig.Settled(alice, bob)

	var more []string
	for range 300 {
		more = append(more, alice.Invoice(10_000))
	}
	owned, coins := alice.InChannels(), alice.Wallet().ConfirmedBalance
	free = fill(alice, 0)
	alice.ExpectEnd = true
	tried := 0
	for ; tried < len(more) && alice.Up(); tried++ { // until a write does not find room any more
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-alice.Proc.Done; cancel() }()
		_, _ = bob.Send(ctx, rig.PayRequest(more[tried])) // what became of it is asked below
		cancel()
	}
	require.NotZero(t, alice.Proc.Ended(t))
	require.Contains(t, alice.Log(), "no space left on device")
	alice.HangUp()
	free()
	alice.Start()
	alice.Active(point)
	for _, request := range more[:tried] {
		if fate(bob, request) == lnrpc.Payment_SUCCEEDED {
			owned += 10_000
		}
	}
	rig.Settled(alice, bob)
	require.Equal(t, owned, alice.InChannels())
	require.Equal(t, coins, alice.Wallet().ConfirmedBalance)
	alice.Pay(bob.Invoice(5_000_000))
	bob.Pay(alice.Invoice(5_000_000))
}

// TestDiskReadOnly: the node does not start on a disk that it cannot write to, and says
// so; nothing has changed when it can.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice := w.NewNode("alice", "--noseedbackup")
	if !disk(alice, "200m") {
		readOnlyDirectory(t, alice)
		return
	}
	alice.Start()
	id := alice.ID
	alice.Fund(1_000_000)
	alice.Stop()
	require.NoError(t, unix.Mount("", alice.Dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	endsWith(alice, "read-only file system")
	require.NoError(t, unix.Mount("", alice.Dir, "", unix.MS_REMOUNT, ""))
	alice.Start()
	require.Equal(t, id, alice.ID)
	require.Equal(t, int64(1_000_000), alice.Wallet().ConfirmedBalance)
}

// readOnlyDirectory is the same by the rights of a directory, for who is not root.
func readOnlyDirectory(t *testing.T, alice *rig.Node) {
	t.Helper()
	alice.Start()
	id := alice.ID
	alice.Stop()
	require.NoError(t, os.Chmod(alice.ChainDir(), 0o500))
	db := filepath.Join(alice.ChainDir(), "fulgur.db")
	require.NoError(t, os.Chmod(db, 0o400))
	endsWith(alice, "permission denied")
	require.NoError(t, os.Chmod(db, 0o600))
	require.NoError(t, os.Chmod(alice.ChainDir(), 0o700))
	alice.Start()
	require.Equal(t, id, alice.ID)
}

// TestWriteFails makes every write of a running node fail, in the middle of payments.
// The process ends, and what it had promised holds when it is started again.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(2_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	s := &siege{t: t, alice: alice, bob: bob, carol: carol, points: points}
	s.amount.Store(900_000)
	start := []int64{alice.InChannels(), bob.InChannels(), carol.InChannels()}
	for _, victim := range []*rig.Node{bob, alice, carol} {
		s.pays(2, func() {
			s.progress(3)
			limit := unix.Rlimit{Cur: 4096, Max: unix.RLIM_INFINITY}
			require.NoError(t, unix.Prlimit(victim.Proc.Cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
			victim.ExpectEnd = true
			require.NotZero(t, victim.Proc.Ended(t))
			victim.HangUp()
			victim.Start()
			s.progress(2)
		})
		rig.Settled(nodes...)
		s.check(start)
	}
}
