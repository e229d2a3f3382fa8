package sock

import (
	"encoding/binary"
	"syscall"
)

// AppendRights appends a message that passes file descriptors over a Unix socket (SCM_RIGHTS, unix(7)), at most 253 of them. They stay open
// here, and must until the send has completed. A number that cannot be an fd is EBADF; errors leave dst as it was.
func AppendRights(dst []byte, fds ...int) ([]byte, error) {
	if scmRights == absent {
		return dst, errAbsent
	}
	for _, fd := range fds {
		if fd < 0 || int(int32(fd)) != fd {
			return dst, syscall.EBADF
		}
	}
	dst = appendHeader(dst, solSocket, scmRights, intSize*len(fds))
	for _, fd := range fds {
		dst = appendInt(dst, fd)
	}
	return pad(dst), nil
}

// Rights are the file descriptors that came with a message. They are new ones, close-on-exec, and the caller's to close. ok
// is false when m is of another kind.
func (m Message) Rights() (fds []int, ok bool) {
	if !m.is(solSocket, scmRights, 0) {
		return nil, false
	}
	for b := m.Data; len(b) >= intSize; b = b[intSize:] {
		fds = append(fds, parseInt(b))
	}
	return fds, true
}

// Credentials say which process has sent a message over a Unix socket.
type Credentials struct {
	PID      int
	UID, GID uint32
}

// AppendCredentials appends a message that tells who sends (SCM_CREDENTIALS, unix(7)). The kernel checks it: a process without
// privileges can only tell the truth. They arrive at sockets with SO_PASSCRED.
func AppendCredentials(dst []byte, c Credentials) ([]byte, error) {
	if scmCredentials == absent {
		return dst, errAbsent
	}
	if int(int32(c.PID)) != c.PID {
		return dst, syscall.EINVAL
	}
	dst = appendHeader(dst, solSocket, scmCredentials, 3*intSize)
	dst = appendInt(dst, c.PID)
	dst = binary.NativeEndian.AppendUint32(dst, c.UID)
	dst = binary.NativeEndian.AppendUint32(dst, c.GID)
	return pad(dst), nil
}

// Credentials are those that came with a message, which the kernel has checked. ok is false when m is of another kind.
func (m Message) Credentials() (c Credentials, ok bool) {
	if !m.is(solSocket, scmCredentials, 3*intSize) {
		return Credentials{}, false
	}
	return Credentials{
		PID: parseInt(m.Data),
		UID: binary.NativeEndian.Uint32(m.Data[intSize:]),
		GID: binary.NativeEndian.Uint32(m.Data[2*intSize:]),
	}, true
}
