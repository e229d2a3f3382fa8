package main

import "runtime/debug"

// version is that of the module which the program was built from, "devel" where the build does not tell.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			return v
		}
	}
	return "devel"
}
