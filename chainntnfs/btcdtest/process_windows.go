package btcdtest

func (p *process) wake() {}
