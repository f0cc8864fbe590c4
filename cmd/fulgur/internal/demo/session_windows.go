package demo

import (
	"errors"
	"os/exec"
)

func ownSession(*exec.Cmd) {}

func hideStay() {}

func silence() error { return errors.New("--keep: not on this system yet") }
