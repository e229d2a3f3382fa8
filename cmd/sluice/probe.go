package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/backend"
	"github.com/sluiceio/sluice/internal/optab"
)

func newProbe() *cobra.Command {
	var asJSON, full bool
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Show which backends there are, and what each does natively",
		Long: `Show which backends can be opened here, or why not and what would help; and for each feature and
operation whether the backend does it natively, by emulation with the same results, or not at all. Then the modes of
io_uring's ring that an engine can be opened with (docs/RINGS.md), each tried: native, or absent and why. Then for each network
interface whether its driver can receive into the memory of a program (zero-copy receive), which an engine on io_uring with large completions then
uses, while all others copy.

Operations that are for later versions, and that no backend of this one performs, are only counted; --all and --json
list them too.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := probed(backend.Probe())
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			return printProbe(cmd.OutOrStdout(), all, full)
		},
	}
	cmd.Flags().BoolVar(&full, "all", false, "list also the operations that no backend of this version performs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// probedBackend is a backend.Status in words.
type probedBackend struct {
	Name      string            `json:"name"`
	Available bool              `json:"available"`
	Reason    string            `json:"reason,omitempty"`
	Remedy    string            `json:"remedy,omitempty"`
	Features  map[string]string `json:"features,omitempty"`
	Ops       map[string]string `json:"ops,omitempty"`
	Modes     []probedMode      `json:"modes,omitempty"`
	ZCRX      []probedZCRX      `json:"zcrx,omitempty"`

	feats api.Features
}

// probedZCRX is an api.ZCRX in words.
type probedZCRX struct {
	Interface string `json:"interface,omitempty"`
	Able      bool   `json:"able"`
	Reason    string `json:"reason,omitempty"`
	Remedy    string `json:"remedy,omitempty"`
}

// probedMode is an api.RingMode in words.
type probedMode struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Linux  string `json:"linux"`
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

func probed(all []backend.Status) []probedBackend {
	var out []probedBackend
	for _, s := range all {
		p := probedBackend{Name: s.Name, Available: s.Available, feats: s.Features}
		if !s.Available {
			p.Reason, p.Remedy = whyNot(s.Err)
			out = append(out, p)
			continue
		}
		p.Features, p.Ops = map[string]string{}, map[string]string{}
		for _, f := range features() {
			p.Features[f.String()] = s.Features.Feature(f).String()
		}
		for c := range api.OpCode(api.OpCount) {
			p.Ops[c.String()] = s.Features.Op(c).String()
		}
		for _, m := range s.Modes {
			pm := probedMode{Name: m.Name, Status: api.Native.String(), Linux: m.MinKernel}
			if m.Err != nil {
				pm.Status = api.Absent.String()
				pm.Reason, pm.Remedy = whyNot(m.Err)
			}
			p.Modes = append(p.Modes, pm)
		}
		for _, z := range s.ZCRX {
			pz := probedZCRX{Interface: z.Interface, Able: z.Err == nil}
			if z.Err != nil {
				pz.Reason, pz.Remedy = whyNot(z.Err)
			}
			p.ZCRX = append(p.ZCRX, pz)
		}
		out = append(out, p)
	}
	return out
}

// whyNot takes an error of Probe apart.
func whyNot(err error) (reason, remedy string) {
	var u *api.UnavailableError
	if errors.As(err, &u) {
		return u.Reason, u.Hint
	}
	var n *backend.NotLinkedError
	if errors.As(err, &n) {
		return "not linked into this program", "build it without tags, or with the tag sluice_" + n.Name + " too"
	}
	return strings.TrimPrefix(err.Error(), "sluice: "), ""
}

// features are all of them, one by one.
func features() []api.Feature {
	var all []api.Feature
	for f := api.Feature(1); f&api.AllFeatures != 0; f <<= 1 {
		all = append(all, f)
	}
	return all
}

// printProbe prints the tables. Unless they are to be full, they are without the operations of later versions.
func printProbe(w io.Writer, all []probedBackend, full bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BACKEND\tSTATUS")
	var some []probedBackend
	for _, p := range all {
		status := "available"
		if p.Available {
			some = append(some, p)
		} else {
			status = "unavailable: " + p.Reason
			if p.Remedy != "" {
				status += " (" + p.Remedy + ")"
			}
		}
		fmt.Fprintf(t, "%s\t%s\n", p.Name, status)
	}
	if len(some) > 0 {
		row := func(first string, cell func(p probedBackend) string) {
			fmt.Fprint(t, first)
			for _, p := range some {
				fmt.Fprint(t, "\t", cell(p))
			}
			fmt.Fprintln(t)
		}
		name := func(p probedBackend) string { return strings.ToUpper(p.Name) }
		fmt.Fprintln(t)
		row("FEATURE", name)
		for _, f := range features() {
			row(f.String(), func(p probedBackend) string { return p.feats.Feature(f).String() })
		}
		fmt.Fprintln(t)
		row("OPERATION", name)
		done, later := optab.Done(), 0
		for c := range api.OpCode(api.OpCount) {
			if !full && !done.Has(c) {
				later++
				continue
			}
			row(c.String(), func(p probedBackend) string { return p.feats.Op(c).String() })
		}
		if later > 0 {
			fmt.Fprintf(t, "\n%d more operations are for later versions; --all lists them.\n", later)
		}
	}
	for _, p := range some {
		if len(p.Modes) == 0 {
			continue
		}
		fmt.Fprintf(t, "\nMODE\tLINUX\t%s\n", strings.ToUpper(p.Name))
		for _, m := range p.Modes {
			status := m.Status
			if m.Reason != "" {
				status += ": " + m.Reason
			}
			if m.Remedy != "" {
				status += " (" + m.Remedy + ")"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", m.Name, m.Linux, status)
		}
	}
	for _, p := range some {
		if len(p.ZCRX) > 0 {
			fmt.Fprintf(t, "\nZERO-COPY RECEIVE\t%s\n", strings.ToUpper(p.Name))
		}
		for _, z := range p.ZCRX {
			iface, status := cmp.Or(z.Interface, "any interface"), "the driver can"
			if !z.Able {
				if status = "cannot: " + z.Reason; z.Remedy != "" {
					status += " (" + z.Remedy + ")"
				}
			}
			fmt.Fprintf(t, "%s\t%s\n", iface, status)
		}
	}
	return t.Flush()
}
