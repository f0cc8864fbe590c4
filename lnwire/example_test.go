package lnwire_test

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// The example of the package comment.
func Example() {
	id, p := lnwire.ChannelID{1}, lnwire.Preimage{2}
	m := &lnwire.UpdateFulfillHTLC{ChannelID: id, ID: 7, Preimage: p}
	b, err := lnwire.Marshal(m) // type and payload, as BOLT 8 carries them
	fmt.Println(len(b), err)
	back, err := lnwire.Unmarshal(b) // *lnwire.UpdateFulfillHTLC again
	fmt.Println(back.Type(), back.(*lnwire.UpdateFulfillHTLC).ID, err)

	_, err = lnwire.Unmarshal(b[:40])
	fmt.Println(err)
	// Output:
	// 74 <nil>
	// update_fulfill_htlc 7 <nil>
	// decode update_fulfill_htlc: id: want 8 bytes, have 6: truncated
}
