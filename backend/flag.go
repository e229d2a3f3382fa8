package backend

import (
	"flag"
	"strings"
)

// Value is the name of a backend as a command line gives it. Set takes only what Open would know, so that
// a typing error shows when the flags are parsed. *Value is a flag.Value, and a Value of
// github.com/spf13/pflag as well.
type Value string

// FlagName and FlagUsage are what Flag defines.
const (
	FlagName  = "backend"
	FlagUsage = "`name` of the backend: auto, uring, epoll, poll or select"
)

// Flag defines -backend in fs, with "auto" as its default, and returns where its value will be.
func Flag(fs *flag.FlagSet) *string {
	v := Value(Auto)
	fs.Var(&v, FlagName, FlagUsage)
	return (*string)(&v)
}

// Set checks and stores a name. Its errors are those of Check.
func (v *Value) Set(name string) error {
	name = strings.TrimSpace(name)
	if err := Check(name); err != nil {
		return err
	}
	if name == "" {
		name = Auto
	}
	*v = Value(name)
	return nil
}

// String is the name.
func (v *Value) String() string { return string(*v) }

// Type is what pflag shows in its help.
func (v *Value) Type() string { return "name" }
