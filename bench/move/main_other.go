//go:build !linux

package main

import "errors"

const serverEnv = "SLUICE_MOVE"

var errLinux = errors.New("this needs Linux: it pins processes to CPUs and reads their CPU time")

func serverMain(string) error { return errLinux }

func measure(*settings, *way) (result, error) { return result{}, errLinux }
