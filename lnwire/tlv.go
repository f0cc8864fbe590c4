package lnwire

// TLV is one record of a stream: its type and its value.
type TLV struct {
	Type  uint64
	Value []byte
}

// ExtraTLVs are the odd records of a message that we have no field for, in
// ascending order. They are written back, so that decoding loses nothing.
type ExtraTLVs []TLV
