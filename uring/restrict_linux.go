package uring

import (
	"github.com/sluiceio/sluice/api"
	"github.com/sluiceio/sluice/internal/iouring"
	"github.com/sluiceio/sluice/internal/optab"
)

// inner are the operations of the ring that the engine itself needs: what is waited for, pauses, and cancels.
var inner = api.Ops(api.OpPoll, api.OpTimeout, api.OpTimeoutRemove, api.OpCancel)

// simpler are the operations that are performed with another one of the ring's when the kernel has no table, or no memory, for them.
var simpler = map[api.OpCode]api.OpCode{
	api.OpReadFixed: api.OpRead, api.OpWriteFixed: api.OpWrite, api.OpReadvFixed: api.OpReadv, api.OpWritevFixed: api.OpWritev,
	api.OpReadMultishot: api.OpRead, api.OpSendZC: api.OpSend, api.OpSendMsgZC: api.OpSendMsg,
	api.OpRecvZC: api.OpRecv,
}

// restrict limits the ring, which is disabled still, to what the engine does with it when it does no other operations than ops. 0 is all.
func (d *driver) restrict(ops api.OpSet) error {
	if ops == 0 {
		return nil
	}
	d.kern &^= api.KernFixedFiles // one operation and two registrations more, for nothing that could not be done without
	if !ops.Has(api.OpRead) {
		d.pollWake = true
		if ops.Has(api.OpReadMultishot) {
			ops |= api.Ops(api.OpRead) // see encodeSelected; Submit refuses the program's own
		}
	}
	var rs []iouring.Restriction
	allow := func(what uint16, args ...uint8) {
		for _, a := range args {
			rs = append(rs, iouring.Restriction{Opcode: what, Arg: a})
		}
	}
	given := ops
	for c, simple := range simpler {
		if ops.Has(c) {
			given |= api.Ops(simple)
		}
	}
	given = given&^d.emulated&^ours | inner
	for c := range api.OpCode(api.OpCount) {
		if given.Has(c) {
			allow(iouring.IORING_RESTRICTION_SQE_OP, uint8(c)) // the codes are the kernel's
		}
	}
	// What the methods of the engine register.
	allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_REGISTER_RING_FDS, iouring.IORING_UNREGISTER_RING_FDS,
		iouring.IORING_REGISTER_PBUF_RING, iouring.IORING_UNREGISTER_PBUF_RING, iouring.IORING_REGISTER_PBUF_STATUS,
		iouring.IORING_REGISTER_BUFFERS2, iouring.IORING_REGISTER_BUFFERS_UPDATE, iouring.IORING_UNREGISTER_BUFFERS, iouring.IORING_REGISTER_CLONE_BUFFERS)
	if d.kern.Has(api.KernResize) {
		allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_REGISTER_RESIZE_RINGS)
	}
	if given.Has(api.OpRecvZC) && d.wires() {
		allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_REGISTER_ZCRX_IFQ)
	}
	if d.polls {
		allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_UNREGISTER_NAPI)
	}
	if o := &d.modes; o.BoundedWorkers|o.UnboundedWorkers != 0 || o.WorkerCPUs != (api.CPUSet{}) {
		allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_REGISTER_IOWQ_MAX_WORKERS, iouring.IORING_REGISTER_IOWQ_AFF,
			iouring.IORING_UNREGISTER_IOWQ_AFF)
	}
	if ops&optab.Personal != 0 {
		allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_REGISTER_PERSONALITY, iouring.IORING_UNREGISTER_PERSONALITY)
	}
	if takesGroups(ops) {
		allow(iouring.IORING_RESTRICTION_SQE_FLAGS_ALLOWED, iouring.IOSQE_BUFFER_SELECT)
	}
	if err := d.ring.RegisterRestrictions(rs); err != nil {
		return refused("Options.Restrict", "5.10", err)
	}
	if d.iopoll == nil {
		return nil
	}
	rs = nil
	for _, c := range [...]api.OpCode{api.OpRead, api.OpWrite, api.OpReadv, api.OpWritev} {
		if given.Has(c) {
			allow(iouring.IORING_RESTRICTION_SQE_OP, uint8(c))
		}
	}
	if rs == nil {
		allow(iouring.IORING_RESTRICTION_REGISTER_OP, iouring.IORING_REGISTER_RING_FDS) // an empty list is none
	}
	return d.iopoll.ring.RegisterRestrictions(rs)
}

// takesGroups says whether one of the operations takes buffers of groups.
func takesGroups(ops api.OpSet) bool {
	for c := range api.OpCode(api.OpCount) {
		if ops.Has(c) && optab.Of(c).Flags.Has(api.BufferSelect) {
			return true
		}
	}
	return false
}
