package btcdtest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
)

// envChild makes the test binary play a parent that will be killed.
const envChild = "BTCDTEST_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envChild); dir != "" {
		parent(dir)
		return
	}
	os.Exit(m.Run())
}

// parent starts a btcd, says where, and waits for ever.
func parent(dir string) {
	ctx := context.Background()
	bin, err := Find(ctx, "")
	if err != nil {
		panic(err)
	}
	n, err := Start(ctx, Config{Binary: bin, Dir: dir})
	if err != nil {
		panic(err)
	}
	fmt.Println(n.RPCAddr())
	select {}
}

func start(t *testing.T, params *chaincfg.Params) (context.Context, *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	bin, err := Find(ctx, "")
	require.NoError(t, err)
	n, err := Start(ctx, Config{Binary: bin, Dir: t.TempDir(), Params: params})
	require.NoError(t, err)
	t.Cleanup(func() {
		defer cancel()
		require.NoError(t, n.Stop(ctx))
	})
	return ctx, n
}

func TestPaysSeveralOutputsAndSurvivesReorg(t *testing.T) {
	ctx, n := start(t, nil)
	m := n.Miner()
	_, err := m.Pay(ctx, wire.NewTxOut(1000, m.Script()))
	require.ErrorContains(t, err, "no mature coin")
	require.NoError(t, m.Mature(ctx))

	const big = 70_0000_0000 // more than one coinbase
	tx, err := m.Pay(ctx, wire.NewTxOut(big, m.Script()), wire.NewTxOut(5000, m.Script()))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(tx.TxIn), 2)
	next, err := m.PayAddress(ctx, m.Address(), 6000) // spends the change
	require.NoError(t, err)
	waiting, err := n.Mempool(ctx)
	require.NoError(t, err)
	require.Len(t, waiting, 2)

	blocks, err := n.Generate(ctx, 1)
	require.NoError(t, err)
	block, err := n.Block(ctx, blocks[0])
	require.NoError(t, err)
	require.Len(t, block.Transactions, 3)

	require.NoError(t, n.InvalidateBlock(ctx, blocks[0]))
	waiting, err = n.Mempool(ctx)
	require.NoError(t, err)
	require.Contains(t, waiting, next.TxHash())
	require.NoError(t, n.ReconsiderBlock(ctx, blocks[0]))
	_, tip, err := n.Tip(ctx)
	require.NoError(t, err)
	require.Equal(t, blocks[0], tip)

	_, err = m.PayAddress(ctx, "nonsense", 1)
	require.Error(t, err)
	var refused *Error
	require.ErrorAs(t, n.Send(ctx, tx), &refused)
}

func TestSimnetChainOutlivesRestart(t *testing.T) {
	ctx, n := start(t, &chaincfg.SimNetParams)
	require.NoError(t, n.Miner().Mature(ctx))
	height, tip, err := n.Tip(ctx)
	require.NoError(t, err)
	require.EqualValues(t, simnetSegwit, height)
	require.ErrorContains(t, n.Restart(ctx), "still running")
	require.NoError(t, n.Stop(ctx))
	require.NoError(t, n.Stop(ctx))
	_, _, err = n.Tip(ctx)
	require.Error(t, err)

	require.NoError(t, n.Restart(ctx))
	_, again, err := n.Tip(ctx)
	require.NoError(t, err)
	require.Equal(t, tip, again)
	_, err = n.Miner().PayAddress(ctx, n.Miner().Address(), 100_000)
	require.NoError(t, err)
}

func TestEndsWithItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	conn, err := net.Dial("tcp", strings.TrimSpace(addr))
	require.NoError(t, err)
	defer conn.Close()

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "btcd outlived its parent")
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	ctx := context.Background()
	_, err := Start(ctx, Config{Dir: t.TempDir(), Params: &chaincfg.MainNetParams})
	require.ErrorContains(t, err, "neither regtest nor simnet")
	_, err = Start(ctx, Config{Binary: "/nonexistent"})
	require.ErrorContains(t, err, "directory is needed")
	_, err = Start(ctx, Config{Binary: "/nonexistent", Dir: t.TempDir()})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Find(ctx, "/nonexistent")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Find(ctx, os.TempDir())
	require.ErrorContains(t, err, "not executable")

	bin, err := Find(ctx, "")
	require.NoError(t, err)
	_, err = Start(ctx, Config{Binary: bin, Dir: t.TempDir(), Args: []string{"nosuchoption=1"}})
	require.ErrorContains(t, err, "nosuchoption", "the child's own words belong into the error")
}
