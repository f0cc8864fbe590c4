package lnwire

// OnionLen is the length of the onion packet in update_add_htlc (BOLT 4).
const OnionLen = 1366

// UpdateAddHTLC offers an HTLC (BOLT 2).
type UpdateAddHTLC struct {
	ChannelID ChannelID
	ID        uint64
	Amount    MilliSat
	Hash      Hash
	Expiry    Height // cltv_expiry
	Onion     [OnionLen]byte
	PathKey   *PubKey // TLV 0: blinded_path
	Extra     ExtraTLVs
}

// UpdateFulfillHTLC removes an HTLC that its sender received, with the preimage.
type UpdateFulfillHTLC struct {
	ChannelID ChannelID
	ID        uint64
	Preimage  Preimage
	Extra     ExtraTLVs
}

// UpdateFailHTLC removes an HTLC that its sender received, with an error for the
// origin, encrypted as BOLT 4 says.
type UpdateFailHTLC struct {
	ChannelID ChannelID
	ID        uint64
	Reason    []byte
	Extra     ExtraTLVs
}

// UpdateFailMalformedHTLC removes an HTLC whose onion could not be read.
type UpdateFailMalformedHTLC struct {
	ChannelID   ChannelID
	ID          uint64
	OnionSHA256 [32]byte
	FailureCode uint16
	Extra       ExtraTLVs
}

// UpdateFee changes the fee rate of both commitments; only the funder sends it.
type UpdateFee struct {
	ChannelID    ChannelID
	FeeratePerKW SatPerKW
	Extra        ExtraTLVs
}

// CommitmentSigned signs the receiver's next commitment and each of its HTLC
// transactions, in the order of the outputs.
type CommitmentSigned struct {
	ChannelID ChannelID
	Sig       Sig
	HTLCSigs  []Sig // at most 966
	Extra     ExtraTLVs
}

// RevokeAndAck revokes the sender's previous commitment.
type RevokeAndAck struct {
	ChannelID ChannelID
	Secret    Secret // per_commitment_secret
	NextPoint PubKey // next_per_commitment_point
	Extra     ExtraTLVs
}

// ChannelReestablish tells after a reconnect what each side has (BOLT 2).
type ChannelReestablish struct {
	ChannelID      ChannelID
	NextCommitment uint64 // next_commitment_number
	NextRevocation uint64 // next_revocation_number
	LastSecret     Secret // your_last_per_commitment_secret
	CurrentPoint   PubKey // my_current_per_commitment_point
	Extra          ExtraTLVs
}
