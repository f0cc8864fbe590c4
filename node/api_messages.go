package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/mistake"
)

// OnionMessages tells of the onion messages that end with us and are no answer that
// somebody waits for.
func (n *Node) OnionMessages() *Subscription[OnionMessage] { return n.messages.Feed.Subscribe() }

// SendOnionMessage hands a message that somebody else has made to a connected peer.
func (n *Node) SendOnionMessage(to lnwire.PubKey, m *lnwire.OnionMessage) error {
	c := n.host.Conn(to)
	switch {
	case n.cfg.NoMessages:
		return mistake.State("onion messages are switched off")
	case c == nil:
		return fmt.Errorf("peer %s %w", to, ErrNotConnected)
	case !c.Features().HasEither(lnwire.OnionMessagesOptional):
		return mistake.State("peer %s does not take onion messages", to)
	case !n.messages.pass(to, m):
		return mistake.TooMuch("peer %s takes no more messages now", to)
	}
	return nil
}

// replyTime is how long an answer is waited for at most.
const replyTime = time.Minute

// Ask sends contents along a path, of a single hop or made by its end, and waits for the
// answer, which comes back on a path of ours. It fails when no way is known, and when no
// answer comes while ctx lasts.
func (n *Node) Ask(ctx context.Context, to onion.BlindedPath, contents []lnwire.TLV) (onion.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTime)
	defer cancel()
	var id lnwire.Secret
	rand.Read(id[:])
	reply, err := n.replyPath(id[:])
	if err != nil {
		return onion.Message{}, err
	}
	s := n.messages
	s.mu.Lock()
	answer, ok := s.replies.put(id, n.now().Add(replyTime), n.now())
	s.mu.Unlock()
	if !ok {
		return onion.Message{}, mistake.TooMuch("too many answers are waited for")
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.replies.drop(id)
	}()
	if err := n.post(to, &reply, contents); err != nil {
		return onion.Message{}, err
	}
	select {
	case m := <-answer:
		return m, nil
	case <-ctx.Done():
		return onion.Message{}, fmt.Errorf("no answer: %w", ctx.Err())
	case <-n.ctx.Done():
		return onion.Message{}, errStopping
	}
}

// Tell sends contents along a path, such as the reply path of a message, and wants no
// answer.
func (n *Node) Tell(to onion.BlindedPath, contents []lnwire.TLV) error {
	return n.post(to, nil, contents)
}

// NodePath is the path to a node that says who it is, for Ask and Tell.
func (n *Node) NodePath(id lnwire.PubKey) (onion.BlindedPath, error) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return onion.BlindedPath{}, err
	}
	return onion.MessagePath(key, []lnwire.PubKey{id}, nil, nil)
}
