package htlc

// State is where an HTLC stands in its life. The ten states of an outgoing HTLC
// come first, then the ten of an incoming one; each set is in order of time. The
// numbers are stored: never change them.
type State uint8

// The states of an outgoing HTLC, then those of an incoming one.
const (
	SentAdd                 State = 1  // update_add_htlc queued or sent, not signed
	SentAddCommit           State = 2  // in the peer's next commitment, signed by us
	RcvdAddRevocation       State = 3  // in the peer's only commitment
	RcvdAddAckCommit        State = 4  // in our next commitment too
	SentAddAckRevocation    State = 5  // irrevocable on both sides
	RcvdRemove              State = 6  // the peer fulfilled or failed it
	RcvdRemoveCommit        State = 7  // out of our next commitment
	SentRemoveRevocation    State = 8  // out of our only commitment
	SentRemoveAckCommit     State = 9  // out of the peer's next commitment
	RcvdRemoveAckRevocation State = 10 // gone

	RcvdAdd                 State = 11 // received, not signed
	RcvdAddCommit           State = 12 // in our next commitment, signed by the peer
	SentAddRevocation       State = 13 // in our only commitment
	SentAddAckCommit        State = 14 // in the peer's next commitment too
	RcvdAddAckRevocation    State = 15 // irrevocable on both sides: locked in
	SentRemove              State = 16 // we fulfilled or failed it
	SentRemoveCommit        State = 17 // out of the peer's next commitment
	RcvdRemoveRevocation    State = 18 // out of the peer's only commitment
	RcvdRemoveAckCommit     State = 19 // out of our next commitment
	SentRemoveAckRevocation State = 20 // gone
)

// Step is one of the four messages of the commit dance.
type Step uint8

// The steps of the dance, as we see them.
const (
	SendCommit Step = iota
	RecvRevoke
	RecvCommit
	SendRevoke
)

// View names one of the commitments that can hold an HTLC.
type View uint8

const (
	// LocalCommit is our newest commitment that the peer has signed.
	LocalCommit View = 1 << iota
	// RemoteCommit is the peer's newest commitment that we have signed.
	RemoteCommit
	// LocalNext is our commitment as the peer must sign it next.
	LocalNext
	// RemoteNext is the peer's commitment as we must sign it next.
	RemoteNext
)

// row is what the table knows of a state: which commitments hold the HTLC, and
// which state each step leads to (0: the step does not concern it).
type row struct {
	name string
	in   View
	next [4]State
}

// table is the whole commit dance. What we sent must first be signed and revoked
// on the peer's side and comes back to ours with its signature; what we received
// goes the other way round.
var table = [21]row{
	SentAdd:                 {"sent_add", RemoteNext, [4]State{SendCommit: SentAddCommit}},
	SentAddCommit:           {"sent_add_commit", RemoteCommit | RemoteNext, [4]State{RecvRevoke: RcvdAddRevocation}},
	RcvdAddRevocation:       {"rcvd_add_revocation", RemoteCommit | RemoteNext | LocalNext, [4]State{RecvCommit: RcvdAddAckCommit}},
	RcvdAddAckCommit:        {"rcvd_add_ack_commit", LocalCommit | RemoteCommit | LocalNext | RemoteNext, [4]State{SendRevoke: SentAddAckRevocation}},
	SentAddAckRevocation:    {"sent_add_ack_revocation", LocalCommit | RemoteCommit | LocalNext | RemoteNext, [4]State{}},
	RcvdRemove:              {"rcvd_remove", LocalCommit | RemoteCommit | RemoteNext, [4]State{RecvCommit: RcvdRemoveCommit}},
	RcvdRemoveCommit:        {"rcvd_remove_commit", RemoteCommit | RemoteNext, [4]State{SendRevoke: SentRemoveRevocation}},
	SentRemoveRevocation:    {"sent_remove_revocation", RemoteCommit, [4]State{SendCommit: SentRemoveAckCommit}},
	SentRemoveAckCommit:     {"sent_remove_ack_commit", 0, [4]State{RecvRevoke: RcvdRemoveAckRevocation}},
	RcvdRemoveAckRevocation: {"rcvd_remove_ack_revocation", 0, [4]State{}},

	RcvdAdd:                 {"rcvd_add", LocalNext, [4]State{RecvCommit: RcvdAddCommit}},
	RcvdAddCommit:           {"rcvd_add_commit", LocalCommit | LocalNext, [4]State{SendRevoke: SentAddRevocation}},
	SentAddRevocation:       {"sent_add_revocation", LocalCommit | LocalNext | RemoteNext, [4]State{SendCommit: SentAddAckCommit}},
	SentAddAckCommit:        {"sent_add_ack_commit", LocalCommit | RemoteCommit | LocalNext | RemoteNext, [4]State{RecvRevoke: RcvdAddAckRevocation}},
	RcvdAddAckRevocation:    {"rcvd_add_ack_revocation", LocalCommit | RemoteCommit | LocalNext | RemoteNext, [4]State{}},
	SentRemove:              {"sent_remove", LocalCommit | RemoteCommit | LocalNext, [4]State{SendCommit: SentRemoveCommit}},
	SentRemoveCommit:        {"sent_remove_commit", LocalCommit | LocalNext, [4]State{RecvRevoke: RcvdRemoveRevocation}},
	RcvdRemoveRevocation:    {"rcvd_remove_revocation", LocalCommit, [4]State{RecvCommit: RcvdRemoveAckCommit}},
	RcvdRemoveAckCommit:     {"rcvd_remove_ack_commit", 0, [4]State{SendRevoke: SentRemoveAckRevocation}},
	SentRemoveAckRevocation: {"sent_remove_ack_revocation", 0, [4]State{}},
}

// Valid reports whether s is one of the twenty states.
func (s State) Valid() bool { return s >= SentAdd && s <= SentRemoveAckRevocation }

// String is the state's name in the manner of the spec.
func (s State) String() string {
	if !s.Valid() {
		return "invalid"
	}
	return table[s].name
}

// After is the state to which step leads from s; s itself when the step does not
// concern it.
func (s State) After(step Step) State {
	if next := table[s].next[step]; next != 0 {
		return next
	}
	return s
}

// before inverts table: no two states lead to the same one.
var before = func() (b [4][21]State) {
	for from := SentAdd; from <= SentRemoveAckRevocation; from++ {
		for step, to := range table[from].next {
			b[step][to] = from
		}
	}
	return b
}()

// Before is the state from which step led to s; s itself when no state does.
func (s State) Before(step Step) State {
	if from := before[step][s]; from != 0 && s != 0 {
		return from
	}
	return s
}

// Concerns reports whether step moves an HTLC that stands in s.
func (s State) Concerns(step Step) bool { return table[s].next[step] != 0 }

// In reports whether the commitment v holds an HTLC that stands in s.
func (s State) In(v View) bool { return table[s].in&v != 0 }

// Direction is the side that offered an HTLC in state s.
func (s State) Direction() Direction {
	if s <= RcvdRemoveAckRevocation {
		return Outgoing
	}
	return Incoming
}

// Irrevocable reports that both sides are committed to the HTLC, or were.
func (s State) Irrevocable() bool {
	return s >= SentAddAckRevocation && s <= RcvdRemoveAckRevocation || s >= RcvdAddAckRevocation
}

// Gone reports the end of the life: no commitment that can confirm holds it.
func (s State) Gone() bool { return s == RcvdRemoveAckRevocation || s == SentRemoveAckRevocation }

// Removing reports that the removal has begun.
func (s State) Removing() bool {
	return s >= RcvdRemove && s <= RcvdRemoveAckRevocation || s >= SentRemove
}
