package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// usageError says that the command line is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the whole program, apart from the process that it runs in. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	line := errorLine(err)
	if usage := (usageError{}); errors.As(err, &usage) {
		fmt.Fprintf(stderr, "sluice: %s (see %s --help)\n", line, cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(stderr, "sluice: %s\n", line)
	return exitError
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Show what the backends of sluice can do and how fast they are on this machine",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.AddCommand(newProbe(), group("serve", "Run a server", newServeEcho(), newServeHTTP(), newServeKV(), newServeProxy(), newServeRawEcho()),
		group("load", "Load a server", newLoadEcho()), newBench(), newConformance())
	// Cobra's own help takes a topic that it does not know for the root.
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Run, c.RunE = nil, help
		}
	}
	return root
}

func help(cmd *cobra.Command, args []string) error {
	topic, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usagef("unknown help topic %q", strings.Join(args, " "))
	}
	topic.InitDefaultHelpFlag() // show it, as --help does
	topic.InitDefaultVersionFlag()
	return topic.Help()
}

// group makes a command that only has others below it.
func group(name, short string, cmds ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  noSuchCommand,
		RunE: func(*cobra.Command, []string) error {
			var names []string
			for _, c := range cmds {
				names = append(names, c.Name())
			}
			return usagef("%s what? There is: %s", name, strings.Join(names, ", "))
		},
	}
	g.AddCommand(cmds...)
	return g
}

func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
	}
	return nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
