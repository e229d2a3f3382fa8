package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
)

// errorLine is what is printed of an error: one line, and of errors that were joined each text once. When an engine
// has failed, all that is asked of it afterwards, and each of the loops, fails with the same error.
func errorLine(err error) string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		line = strings.ReplaceAll(strings.TrimPrefix(line, "sluice: "), ": sluice: ", ": ")
		if line != "" && !slices.ContainsFunc(lines, func(l string) bool { return l == line || strings.HasSuffix(l, ": "+line) }) {
			lines = append(lines, line)
		}
	}
	var u *api.UnavailableError
	if !errors.As(err, &u) || errors.As(err, new(*backend.RefusedError)) { // that one has the reasons and remedies of all
		return strings.Join(lines, "; ")
	}
	// What else went wrong went wrong because of it.
	why := strings.TrimPrefix(u.Error(), "sluice: ")
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, why) }); i >= 0 {
		why = lines[i]
	}
	if u.Hint == "" {
		why += " (sluice probe shows which backends work here)"
	}
	return why
}

// flagError says what is wrong with the value of a flag in words of this program, not of the packages
// that parse it.
func flagError(err error) error {
	var missing *backend.NotLinkedError
	if errors.As(err, &missing) {
		return missing // the name is right, the program is not
	}
	var unknown *backend.UnknownError
	if errors.As(err, &unknown) {
		return usageError{unknown}
	}
	cause := errors.Unwrap(err)
	if cause == nil {
		return usageError{err}
	}
	why := cause.Error()
	var num *strconv.NumError
	switch {
	case errors.As(err, &num) && num.Func == "ParseBool":
		why = "want true or false"
	case errors.As(err, &num) && errors.Is(err, strconv.ErrRange):
		why = num.Num + " is out of range"
	case errors.As(err, &num):
		why = fmt.Sprintf("%q is not a whole number", num.Num)
	case strings.HasPrefix(why, "time: "):
		why = "want a duration such as 500ms or 2s"
	}
	return usageError{errors.New(strings.TrimSuffix(err.Error(), cause.Error()) + why)}
}

// orNet adds the baseline to the names that an UnknownError lists, and takes away auto if that is not accepted.
func orNet(err error, auto bool) error { return orBaseline(err, netName, auto) }

// orBaseline is orNet with any baseline.
func orBaseline(err error, name string, auto bool) error {
	var unknown *backend.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	known := slices.DeleteFunc(slices.Clone(unknown.Known), func(n string) bool { return n == backend.Auto && !auto })
	return &backend.UnknownError{Name: unknown.Name, Known: append(known, name)}
}
