package btcdtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports are given out in blocks, below those that the kernel gives to connections.
const (
	firstPort  = 12_000
	portBlocks = 100
	blockSize  = 200
)

// ports are those of this process. A block is ours while we listen on its first port.
var ports struct {
	sync.Mutex
	held []net.Listener
	next int // zero at the end of a block
}

// FreeAddr is an address of this machine that nobody else is given here, neither in this
// process nor in another that asks while we run: who is down must find its port free again.
func FreeAddr() (string, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		if ports.next == 0 {
			if err := holdBlock(); err != nil {
				return "", err
			}
		}
		addr := loopback(ports.next)
		if ports.next++; (ports.next-firstPort)%blockSize == 0 {
			ports.next = 0
		}
		if l, err := net.Listen("tcp", addr); err == nil { // no stranger has it
			l.Close()
			return addr, nil
		}
	}
}

// holdBlock takes a block that is nobody's.
func holdBlock() error {
	for _, i := range rand.Perm(portBlocks) {
		first := firstPort + i*blockSize
		l, err := net.Listen("tcp", loopback(first))
		if err != nil {
			continue
		}
		ports.held, ports.next = append(ports.held, l), first+1
		return nil
	}
	return errors.New("find a free port: all blocks are taken")
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
