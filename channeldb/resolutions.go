package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Resolution is how an incoming HTLC ended. It outlives its channel.
type Resolution struct {
	SCID    lnwire.ShortChannelID // as the operator knew the channel then
	ID      uint64
	Settled bool // we have got its amount
	OnChain bool
}

func resolutionKey(scid lnwire.ShortChannelID, id uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(scid)), id)
}

func (o *ops) finalResolution(r *Resolution) {
	o.start(inResolutions, put)
	o.bytes(resolutionKey(r.SCID, r.ID))
	o.row(1)
	o.flag(0, r.Settled)
	o.flag(2, r.OnChain)
	o.end()
}

func decodeFinalResolution(key, row []byte) (r Resolution, err error) {
	if len(key) != 16 {
		return r, badKey(inResolutions, key)
	}
	r.SCID, r.ID = lnwire.ShortChannelID(number(key)), number(key[8:])
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			r.Settled = d.flag()
		case 2:
			r.OnChain = d.flag()
		default:
			d.unknown()
		}
	}
	return r, d.end("htlc resolution")
}

// Resolution reads how an incoming HTLC ended; false when no row tells.
func (db *DB) Resolution(scid lnwire.ShortChannelID, id uint64) (res Resolution, ok bool, err error) {
	key := resolutionKey(scid, id)
	err = db.view(func(r *reader) error {
		row, err := r.get(inResolutions, key)
		if err != nil || row == nil {
			return err
		}
		ok = true
		res, err = decodeFinalResolution(key, row)
		return err
	})
	return res, ok && err == nil, err
}
