package lnwire

// Shutdown starts the cooperative close (BOLT 2).
type Shutdown struct {
	ChannelID ChannelID
	Script    []byte // scriptpubkey
	Extra     ExtraTLVs
}

// FeeRange is TLV 1 of closing_signed: the fees that the sender would accept.
type FeeRange struct{ Min, Max Sat }

// ClosingSigned proposes a closing fee and signs the transaction with it.
type ClosingSigned struct {
	ChannelID ChannelID
	Fee       Sat
	Sig       Sig
	Range     *FeeRange // TLV 1
	Extra     ExtraTLVs
}

// Stfu asks for quiescence (BOLT 2).
type Stfu struct {
	ChannelID ChannelID
	Initiator bool
	Extra     ExtraTLVs
}
