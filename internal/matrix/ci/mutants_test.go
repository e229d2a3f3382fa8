package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMutantTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mutants")
	if got, err := mutantTable(file); got != "" || err != nil {
		t.Errorf("without a file: %q, %v", got, err)
	}
	lines := "wake lost\tWAK-1\tWAK/WAK-1-before\tWAK-1: late\n" +
		"no order\tORD-1\tORD/ORD-1-receives\tORD-1: came last\n" +
		"wake lost\tWAK-1\tWAK/WAK-1-during\tagain\n"
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "mutant     rule   first case that fails\n" +
		"no order   ORD-1  ORD-1-receives\n" +
		"wake lost  WAK-1  WAK-1-before\n" +
		"mutants: 2, each noticed by a case\n"
	if got, err := mutantTable(file); got != want || err != nil {
		t.Errorf("got\n%s%v, want\n%s", got, err, want)
	}
}
