//go:build invariants

package lint

const invariantsEnabled = true
