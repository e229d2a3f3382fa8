package conformance

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./gen

// Rule is a rule of the contract, docs/SEMANTICS.md.
type Rule struct {
	// ID is the family and a number: "STR-3".
	ID string
	// Text is the rule.
	Text string
	// Reason says why it is so, and who or what says so: a man page, a measurement, this library.
	Reason string
}

//go:embed rules.txt
var rulesText string

// parseRules reads a line for each rule: id, text and reason, with tabs between them.
var parseRules = sync.OnceValue(func() []Rule {
	var rules []Rule
	for line := range strings.Lines(rulesText) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 3 {
			rules = append(rules, Rule{f[0], f[1], f[2]})
		}
	}
	return rules
})

// Rules are all rules of the contract, family by family, those included that no case of this platform is about. The slice is the caller's.
func Rules() []Rule { return slices.Clone(parseRules()) }

// RuleOf is the rule with an id. ok is false if there is none.
func RuleOf(id string) (r Rule, ok bool) {
	rules := parseRules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}
