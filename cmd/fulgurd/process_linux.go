package main

import (
	"bytes"
	"os"
	"strconv"
)

// process is what the system knows of this process.
type process struct{ resident, cpu, files float64 }

// ticks is how many of the kernel's ticks are a second for whoever reads /proc.
const ticks = 100

// readProcess reads /proc/self.
func readProcess() (s process, ok bool) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return s, false
	}
	// The name of the program stands in brackets and may hold anything: count from its end.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return s, false
	}
	number := func(i int) float64 {
		v, _ := strconv.ParseFloat(string(fields[i]), 64)
		return v
	}
	s.cpu = (number(11) + number(12)) / ticks
	s.resident = number(21) * float64(os.Getpagesize())
	files, err := os.ReadDir("/proc/self/fd")
	s.files = float64(len(files))
	return s, err == nil
}
