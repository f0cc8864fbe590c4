package tor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	lndtor "github.com/lightningnetwork/lnd/tor"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ServiceConfig says which onion service a Tor daemon shall offer, and where it
// leads.
type ServiceConfig struct {
	Control  string // host:port of the daemon's controller
	Password string // for HASHEDPASSWORD; else SAFECOOKIE, or NULL when the daemon asks nothing
	Target   string // the IP at which the daemon reaches us; empty: its own machine
	Port     uint16 // the service's port, as announced (9735)
	Listen   uint16 // the port on which we listen
	Key      Store  // keeps the service's key, and so its name

	Check time.Duration // between two looks whether the service stands (1 min)
	Log   *slog.Logger  // nil is silent
}

// Store keeps the key of the service: whoever has it can answer in our place.
type Store interface {
	// PrivateKey reads it; ErrNoKey when none was stored yet.
	PrivateKey() ([]byte, error)
	StorePrivateKey(key []byte) error
	DeletePrivateKey() error
}

// ErrNoKey is what an empty Store answers.
var ErrNoKey = lndtor.ErrNoPrivateKey

// Service is an onion service that stands until Close. When the Tor daemon goes
// away it is asked for again, under the same name.
type Service struct {
	cfg     ServiceConfig
	control *lndtor.Controller
	addr    lnwire.Address
	stop    chan struct{}
	wg      sync.WaitGroup
}

// patience is how long the daemon is waited for at the end.
const patience = 2 * time.Second

// Open asks the daemon for the service. The error says what to look at.
func Open(ctx context.Context, cfg ServiceConfig) (*Service, error) {
	if cfg.Check == 0 {
		cfg.Check = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		cfg: cfg, stop: make(chan struct{}),
		control: lndtor.NewController(cfg.Control, cfg.Target, cfg.Password),
	}
	if err := s.within(ctx, s.begin); err != nil {
		return nil, fmt.Errorf("tor controller %s: %w", cfg.Control, err)
	}
	s.wg.Go(s.watch)
	return s, nil
}

// Address is where others reach us.
func (s *Service) Address() lnwire.Address { return s.addr }

// Close takes the service away.
func (s *Service) Close() {
	close(s.stop)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.within(ctx, func() error { s.wg.Wait(); return s.control.Stop() }); err != nil {
		s.cfg.Log.Debug("onion service not taken away in order", "err", err)
	}
}

// within waits for f as long as ctx says: the controller's own calls have no limit.
func (s *Service) within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin connects and asks for the service.
func (s *Service) begin() error {
	var netErr net.Error
	switch err := s.control.Start(); {
	case errors.As(err, &netErr):
		return err
	case err != nil: // it says no more than that the answer was no
		return fmt.Errorf("not let in: is the password right, or the daemon's cookie file ours to read? %w", err)
	}
	var err error
	s.addr, err = s.add()
	return err
}

func (s *Service) add() (lnwire.Address, error) {
	got, err := s.control.AddOnion(lndtor.AddOnionConfig{
		VirtualPort: int(s.cfg.Port), TargetPorts: []int{int(s.cfg.Listen)}, Store: s.cfg.Key,
	})
	if err != nil {
		return lnwire.Address{}, fmt.Errorf("add onion service: %w", err)
	}
	return lnwire.ParseAddress(got.OnionService, s.cfg.Port)
}

// watch asks for the service again when the daemon has lost it.
func (s *Service) watch() {
	away := false
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(s.cfg.Check):
		}
		err := s.control.CheckOnionService()
		if err != nil {
			if !away {
				s.cfg.Log.Warn("the onion service is gone, asking for it again", "err", err)
			}
			err = s.again()
		}
		if away && err == nil {
			s.cfg.Log.Info("the onion service stands again", "address", s.addr)
		}
		away = err != nil
	}
}

// again reconnects, since a daemon forgets the service with the connection.
func (s *Service) again() error {
	if err := s.control.Reconnect(); err != nil {
		return err
	}
	addr, err := s.add()
	if err == nil && addr != s.addr {
		err = fmt.Errorf("it has another name now, %s", addr)
	}
	return err
}
