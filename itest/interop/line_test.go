package interop

// line is two nodes of one program with one of the other between them.
type line struct {
	*meeting
	x, mid, y Peer
	typ       ChannelType
	weForward bool
	points    [2]string // x-mid, mid-y
}

var lineScenarios = []struct {
	name         string
	ends, middle []Ability // of the foreign nodes, when they are at the ends, and in the middle
	play         func(*line)
}{}
