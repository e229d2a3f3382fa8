package kv_test

import (
	"path/filepath"
	"testing"

	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/kv"
	"github.com/sluiceio/sluice/reactor"
)

// TestWaitsForTheDisk: loops park where replies wait for the goroutine that writes, unless somebody has said how they wait.
func TestWaitsForTheDisk(t *testing.T) {
	none := api.Strategy{}
	for _, c := range []struct {
		name      string
		file      bool
		fsync     kv.Fsync
		variant   reactor.Variant
		set, want api.Strategy
	}{
		{"always", true, kv.FsyncAlways, reactor.Single, none, api.Park()},
		{"always, several loops", true, kv.FsyncAlways, reactor.Multi, none, api.Park()},
		{"always, somebody knows better", true, kv.FsyncAlways, reactor.Single, api.Block(), api.Block()},
		{"always, with workers", true, kv.FsyncAlways, reactor.SinglePool, none, none},
		{"every second", true, kv.FsyncEverySec, reactor.Single, none, none},
		{"no file", false, kv.FsyncAlways, reactor.Single, none, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := kv.Options{Fsync: c.fsync}
			if c.file {
				o.AppendOnly = filepath.Join(t.TempDir(), "file")
			}
			cfg := reactor.Config{Variant: c.variant, Wait: c.set}
			s, err := kv.New(o, &cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if cfg.Wait != c.want {
				t.Errorf("Wait is %+v, want %+v", cfg.Wait, c.want)
			}
		})
	}
}
