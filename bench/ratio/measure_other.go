//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

func measure(context.Context, *settings, string) (run, error) {
	return run{}, errors.New("this needs Linux: it pins processes to CPUs and reads their CPU time")
}

func defaultCPUs() (server, client []int) { return []int{0}, []int{1} }

func compareIdle(context.Context, *settings, io.Writer) error {
	return errors.New("this needs Linux: it reads the memory of processes")
}
