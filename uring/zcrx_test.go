//go:build linux

package uring

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluiceio/sluice/api"
)

func TestZCRX(t *testing.T) {
	e, err := New(nil)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = e.Close() }() // that is for others to test
	all := Driver{}.ZCRX()
	if len(all) == 0 {
		t.Fatal("nobody was asked")
	}
	for _, z := range all {
		var u *api.UnavailableError
		if z.Err != nil && (!errors.As(z.Err, &u) || u.Reason == "" || u.Err == nil) {
			t.Errorf("%q: %#v", z.Interface, z.Err)
		}
		if z.Interface == "lo" && (u == nil || u.Err != unix.EOPNOTSUPP && u.Err != unix.EPERM) {
			t.Errorf("the loopback can: %v", z.Err)
		}
	}
}

func TestZCRXErrors(t *testing.T) {
	for errno, hint := range map[unix.Errno]string{
		unix.EOPNOTSUPP: "header split", unix.EPERM: "CAP_NET_ADMIN", unix.EINVAL: "tcp-data-split on", unix.EEXIST: "XDP", unix.ENODEV: "",
	} {
		err := zcrxError("eth9", errno)
		var u *api.UnavailableError
		if !errors.As(err, &u) || !strings.Contains(u.Hint, hint) || !errors.Is(err, errno) || !strings.Contains(u.Reason, "eth9") {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := zcrxError("eth9", unix.ERANGE); err != nil {
		t.Errorf("a driver that can: %v", err)
	}
	if err := noZCRX("", unix.EINVAL); !strings.Contains(err.Hint, "6.15") {
		t.Errorf("an old kernel: %v", err)
	}
}
