package conformance_test

import "slices"

// systemMutants are those of operations that only Linux has.
func systemMutants() []fault {
	return slices.Concat(linuxMutants, fileMutants, familyMutants, lostMutants, turnMutants, kindMutants)
}
