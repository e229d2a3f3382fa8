// Package lint holds the project's rules as tests, so that checking them takes
// no tool but Go. It has no code of its own and nothing imports it.
//
// TestRules walks the repository and runs each rule as a subtest; docs/STYLE.md
// says what the rules are for. Each rule is a function from parsed files to a
// list of problems, and has an entry in the self-test that shows it sources
// with the fault and without: a rule that cannot fail proves nothing.
package lint
