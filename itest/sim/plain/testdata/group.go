package secp256k1

// The group of a plain world: the integers modulo the order of the curve, with addition.
// A point is its own logarithm k. It is written like one of the curve: X is k or -k,
// whichever is the smaller, and Y, 2 or -2, says which, so that the negative of a point
// has its X and the other parity here, too. Signatures, derivations and onions are
// computed as ever: all that they rely on is the group, but for its being hard to break.

// log is the number that a point stands for; 0 is infinity.
func log(p *JacobianPoint) (k ModNScalar) {
	if p.X.IsZero() && p.Y.IsZero() || p.Z.IsZero() {
		return k
	}
	x, y := p.X, p.Y
	k.SetBytes(x.Normalize().Bytes())
	if y.Normalize().IsOdd() {
		k.Negate()
	}
	return k
}

// set makes p the point of a number.
func (p *JacobianPoint) set(k ModNScalar) {
	if k.IsZero() {
		*p = JacobianPoint{}
		return
	}
	p.Y.SetInt(2)
	if k.IsOverHalfOrder() {
		k.Negate()
		p.Y.Negate(1).Normalize()
	}
	b := k.Bytes()
	p.X.SetBytes(&b)
	p.Z.SetInt(1)
}

// ToAffine leaves a point as it is: its Z is 1 already.
func (p *JacobianPoint) ToAffine() {
	p.X.Normalize()
	p.Y.Normalize()
	p.Z.SetInt(1)
}

// AddNonConst makes result the sum of two points.
func AddNonConst(p1, p2, result *JacobianPoint) {
	a, b := log(p1), log(p2)
	result.set(*a.Add(&b))
}

// DoubleNonConst makes result twice the point.
func DoubleNonConst(p, result *JacobianPoint) { AddNonConst(p, p, result) }

// ScalarMultNonConst makes result k times the point.
func ScalarMultNonConst(k *ModNScalar, point, result *JacobianPoint) {
	a := log(point)
	result.set(*a.Mul(k))
}

// ScalarBaseMultNonConst makes result the point of k.
func ScalarBaseMultNonConst(k *ModNScalar, result *JacobianPoint) { result.set(*k) }

func isOnCurve(fx, fy *FieldVal) bool {
	var y FieldVal
	x := *fx
	return DecompressY(x.Normalize(), fy.IsOdd(), &y) && y.Equals(fy)
}

// DecompressY is the Y of a point with this X, if there is one.
func DecompressY(x *FieldVal, odd bool, resultY *FieldVal) bool {
	var k ModNScalar
	n := *x
	if over := k.SetBytes(n.Normalize().Bytes()); over != 0 || k.IsZero() || k.IsOverHalfOrder() {
		return false
	}
	resultY.SetInt(2)
	if odd {
		resultY.Negate(1).Normalize()
	}
	return true
}
