package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/sluiceio/sluice/api"
	"golang.org/x/sys/unix"
)

// nobody is a user with no rights to what the suite makes.
const nobody = 65534

// asNobody registers the credentials of a user with no rights. It ends the case where only the superuser could.
func (t *T) asNobody() api.Personality {
	if os.Geteuid() != 0 {
		t.Skipf("only the superuser can take on the credentials of another user")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, set := range []func(int) (int, error){unix.SetfsgidRetGid, unix.SetfsuidRetUid} {
		_, err := set(nobody)
		t.must("setfsuid", err)
	}
	p, err := t.Engine.RegisterPersonality()
	for _, set := range []func(int) (int, error){unix.SetfsuidRetUid, unix.SetfsgidRetGid} {
		_, err := set(0)
		t.must("setfsuid", err)
	}
	t.must("RegisterPersonality", err)
	if p == 0 {
		t.Fatalf("the personality is 0")
	}
	return p
}

// personal gives res where the kernel performs the operation, and what an engine that does it by system calls has to say otherwise.
func (t *T) personal(code api.OpCode, res int) int {
	if t.Engine.Features().Op(code) == api.Native {
		return res
	}
	return neg(unix.EOPNOTSUPP)
}

var personalityCases = []Case{
	{
		ID: "RNG-7", Name: "paths",
		Explanation: "An operation with a personality may do what its credentials allow, and makes files that are theirs; others are not affected.",
		Requires:    api.FeatPersonality,
		Ops:         openOps | treeOps | statxOps | open2Ops,
		Fn: func(t *T) {
			p := t.asNobody()
			dir, name := t.Dir()
			t.must("chmod", os.Chmod(name, 0o755))
			t.must("write", os.WriteFile(filepath.Join(name, "secret"), []byte("x"), 0o600))
			secret := api.Openat(dir, "secret", unix.O_RDONLY, 0, 1)
			t.Want(secret.As(p), t.personal(api.OpOpenat, neg(unix.EACCES)))
			t.opened(secret)
			t.Want(api.Openat2(dir, "secret", &api.OpenHow{Flags: unix.O_RDONLY}, 1).As(p), t.personal(api.OpOpenat2, neg(unix.EACCES)))
			t.Want(api.Mkdirat(dir, "d", 0o755, 2).As(p), t.personal(api.OpMkdirat, neg(unix.EACCES)))
			t.Want(api.Unlinkat(dir, "secret", 0, 3).As(p), t.personal(api.OpUnlinkat, neg(unix.EACCES)))
			t.must("chmod", os.Chmod(name, 0o777))
			t.Want(api.Mkdirat(dir, "d", 0o755, 4).As(p), t.personal(api.OpMkdirat, 0))
			t.Want(api.Mkdirat(dir, "mine", 0o755, 5), 0)
			if t.Engine.Features().Op(api.OpMkdirat) != api.Native {
				return
			}
			for sub, uid := range map[string]uint32{"d": nobody, "mine": 0} {
				if st := t.statxNow(dir, sub, 0, unix.STATX_UID); st.UID != uid {
					t.Errorf("%s belongs to the user %d, want %d", sub, st.UID, uid)
				}
			}
		},
	},
	{
		ID: "RNG-7", Name: "connect",
		Explanation: "A connect to a Unix socket with a personality needs its right to write, also when it has to wait for room in the backlog.",
		Requires:    api.FeatPersonality,
		Ops:         connectOps,
		Fn: func(t *T) {
			p := t.asNobody()
			l, path := t.unixListener(0)
			for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
				t.must("chmod", os.Chmod(dir, 0o755))
			}
			t.must("chmod", os.Chmod(path, 0o700))
			to := func(tag uint64) api.Op {
				return api.Connect(t.Socket(unix.AF_UNIX, unix.SOCK_STREAM), &api.Msg{Addr: api.Addr{Path: path}}, tag)
			}
			t.Want(to(1).As(p), t.personal(api.OpConnect, neg(unix.EACCES)))
			t.must("chmod", os.Chmod(path, 0o777))
			t.fillBacklog(path)
			t.Submit(to(2).As(p))
			if t.personal(api.OpConnect, 0) == 0 {
				t.StillPending(2)
				t.must("chmod", os.Chmod(path, 0o777))
				t.AcceptNow(l)
			}
			t.AwaitRes(2, t.personal(api.OpConnect, 0))
		},
	},
	{
		ID: "RNG-8", Name: "what is none",
		Explanation: "A personality that is not registered, and one for an operation that takes none, is EINVAL; one that was unregistered is none.",
		Ops:         statxOps | fileOps | api.Ops(api.OpNop),
		Fn: func(t *T) {
			var out api.StatxBuf
			fd := t.File("abc")
			st := func() api.Op { return api.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_SIZE, &out, 1) }
			t.Want(st().As(1), neg(unix.EINVAL))
			t.Want(st().As(255), neg(unix.EINVAL))
			t.Want(api.Nop(2).As(1), neg(unix.EINVAL))
			t.Want(api.Read(fd, make([]byte, 1), 0, 3).As(1), neg(unix.EINVAL))
			p, err := t.Engine.RegisterPersonality()
			if !t.Engine.Features().Has(api.FeatPersonality) {
				var u *api.UnsupportedError
				if !errors.As(err, &u) || u.Feature != api.FeatPersonality || u.Reason == "" {
					t.Errorf("RegisterPersonality without the feature: %v", err)
				}
				t.wantErrno("UnregisterPersonality", t.Engine.UnregisterPersonality(1), syscall.EINVAL)
				return
			}
			t.must("RegisterPersonality", err)
			t.Want(st().As(p), t.personal(api.OpStatx, 0))
			t.Want(st().As(p+1), neg(unix.EINVAL))
			t.Want(api.Nop(2).As(p), neg(unix.EINVAL))
			t.Want(api.Read(fd, make([]byte, 1), 0, 3).As(p), neg(unix.EINVAL))
			t.Submit(st().As(p))
			t.Perform()
			t.must("UnregisterPersonality", t.Engine.UnregisterPersonality(p))
			t.AwaitRes(1, t.personal(api.OpStatx, 0))
			t.Want(st().As(p), neg(unix.EINVAL))
			t.wantErrno("UnregisterPersonality of one that is gone", t.Engine.UnregisterPersonality(p), syscall.EINVAL)
			t.wantErrno("UnregisterPersonality of 0", t.Engine.UnregisterPersonality(0), syscall.EINVAL)
			for i := range 255 {
				if _, err := t.Engine.RegisterPersonality(); err != nil {
					t.Fatalf("the registration %d: %v", i, err)
				}
			}
			_, err = t.Engine.RegisterPersonality()
			t.wantErrno("RegisterPersonality 256", err, syscall.ENOSPC)
			t.CloseEngine()
			if _, err := t.Engine.RegisterPersonality(); err != api.ErrClosed {
				t.Errorf("RegisterPersonality after Close: %v", err)
			}
			if err := t.Engine.UnregisterPersonality(1); err != api.ErrClosed {
				t.Errorf("UnregisterPersonality after Close: %v", err)
			}
		},
	},
}
