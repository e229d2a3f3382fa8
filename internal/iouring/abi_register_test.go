package iouring

import (
	"testing"
	"unsafe"
)

func TestRegisterStructOffsets(t *testing.T) {
	type check struct {
		field     string
		got, want uintptr
	}
	var (
		fu  FilesUpdate
		rd  RegionDesc
		mr  MemRegionReg
		rr  RsrcRegister
		ru  RsrcUpdate
		ru2 RsrcUpdate2
		po  ProbeOp
		pr  Probe
		re  Restriction
		ck  ClockRegister
		cb  CloneBuffers
		bu  Buf
		br  BufReg
		bs  BufStatus
		na  NAPI
		sc  SyncCancelReg
		fi  FileIndexRange
		qh  QueryHdr
		qo  QueryOpcode
		zr  ZCRXRqe
		zc  ZCRXCqe
		zo  ZCRXOffsets
		za  ZCRXAreaReg
		zi  ZCRXIfqReg
	)
	for name, checks := range map[string][]check{
		"io_uring_files_update": {{"offset", unsafe.Offsetof(fu.Offset), 0}, {"fds", unsafe.Offsetof(fu.Fds), 8}},
		"io_uring_region_desc": {
			{"user_addr", unsafe.Offsetof(rd.UserAddr), 0}, {"size", unsafe.Offsetof(rd.Size), 8},
			{"flags", unsafe.Offsetof(rd.Flags), 16}, {"id", unsafe.Offsetof(rd.ID), 20},
			{"mmap_offset", unsafe.Offsetof(rd.MmapOffset), 24}, {"__resv", unsafe.Offsetof(rd.Resv), 32},
		},
		"io_uring_mem_region_reg": {
			{"region_uptr", unsafe.Offsetof(mr.RegionUptr), 0}, {"flags", unsafe.Offsetof(mr.Flags), 8},
			{"__resv", unsafe.Offsetof(mr.Resv), 16},
		},
		"io_uring_rsrc_register": {
			{"nr", unsafe.Offsetof(rr.Nr), 0}, {"flags", unsafe.Offsetof(rr.Flags), 4},
			{"resv2", unsafe.Offsetof(rr.Resv2), 8}, {"data", unsafe.Offsetof(rr.Data), 16},
			{"tags", unsafe.Offsetof(rr.Tags), 24},
		},
		"io_uring_rsrc_update": {{"offset", unsafe.Offsetof(ru.Offset), 0}, {"data", unsafe.Offsetof(ru.Data), 8}},
		"io_uring_rsrc_update2": {
			{"offset", unsafe.Offsetof(ru2.Offset), 0}, {"data", unsafe.Offsetof(ru2.Data), 8},
			{"tags", unsafe.Offsetof(ru2.Tags), 16}, {"nr", unsafe.Offsetof(ru2.Nr), 24},
			{"resv2", unsafe.Offsetof(ru2.Resv2), 28},
		},
		"io_uring_probe_op": {
			{"op", unsafe.Offsetof(po.Op), 0}, {"flags", unsafe.Offsetof(po.Flags), 2},
			{"resv2", unsafe.Offsetof(po.Resv2), 4},
		},
		"io_uring_probe": {
			{"last_op", unsafe.Offsetof(pr.LastOp), 0}, {"ops_len", unsafe.Offsetof(pr.OpsLen), 1},
			{"resv2", unsafe.Offsetof(pr.Resv2), 4}, {"ops", unsafe.Offsetof(pr.Ops), 16},
		},
		"io_uring_restriction": {
			{"opcode", unsafe.Offsetof(re.Opcode), 0}, {"register_op", unsafe.Offsetof(re.Arg), 2},
			{"resv2", unsafe.Offsetof(re.Resv2), 4},
		},
		"io_uring_clock_register": {{"clockid", unsafe.Offsetof(ck.ClockID), 0}, {"__resv", unsafe.Offsetof(ck.Resv), 4}},
		"io_uring_clone_buffers": {
			{"src_fd", unsafe.Offsetof(cb.SrcFd), 0}, {"flags", unsafe.Offsetof(cb.Flags), 4},
			{"src_off", unsafe.Offsetof(cb.SrcOff), 8}, {"dst_off", unsafe.Offsetof(cb.DstOff), 12},
			{"nr", unsafe.Offsetof(cb.Nr), 16}, {"pad", unsafe.Offsetof(cb.Pad), 20},
		},
		"io_uring_buf": {
			{"addr", unsafe.Offsetof(bu.Addr), 0}, {"len", unsafe.Offsetof(bu.Len), 8},
			{"bid", unsafe.Offsetof(bu.Bid), 12}, {"resv, tail", unsafe.Offsetof(bu.Resv), 14},
		},
		"io_uring_buf_reg": {
			{"ring_addr", unsafe.Offsetof(br.RingAddr), 0}, {"ring_entries", unsafe.Offsetof(br.RingEntries), 8},
			{"bgid", unsafe.Offsetof(br.Bgid), 12}, {"flags", unsafe.Offsetof(br.Flags), 14},
			{"resv", unsafe.Offsetof(br.Resv), 16},
		},
		"io_uring_buf_status": {
			{"buf_group", unsafe.Offsetof(bs.BufGroup), 0}, {"head", unsafe.Offsetof(bs.Head), 4},
			{"resv", unsafe.Offsetof(bs.Resv), 8},
		},
		"io_uring_napi": {
			{"busy_poll_to", unsafe.Offsetof(na.BusyPollTo), 0}, {"prefer_busy_poll", unsafe.Offsetof(na.PreferBusyPoll), 4},
			{"opcode", unsafe.Offsetof(na.Opcode), 5}, {"op_param", unsafe.Offsetof(na.OpParam), 8},
			{"resv", unsafe.Offsetof(na.Resv), 12},
		},
		"io_uring_sync_cancel_reg": {
			{"addr", unsafe.Offsetof(sc.Addr), 0}, {"fd", unsafe.Offsetof(sc.Fd), 8},
			{"flags", unsafe.Offsetof(sc.Flags), 12}, {"timeout", unsafe.Offsetof(sc.Timeout), 16},
			{"opcode", unsafe.Offsetof(sc.Opcode), 32}, {"pad", unsafe.Offsetof(sc.Pad), 33},
			{"pad2", unsafe.Offsetof(sc.Pad2), 40},
		},
		"io_uring_file_index_range": {
			{"off", unsafe.Offsetof(fi.Off), 0}, {"len", unsafe.Offsetof(fi.Len), 4}, {"resv", unsafe.Offsetof(fi.Resv), 8},
		},
		"io_uring_query_hdr": {
			{"next_entry", unsafe.Offsetof(qh.NextEntry), 0}, {"query_data", unsafe.Offsetof(qh.QueryData), 8},
			{"query_op", unsafe.Offsetof(qh.QueryOp), 16}, {"size", unsafe.Offsetof(qh.Size), 20},
			{"result", unsafe.Offsetof(qh.Result), 24}, {"__resv", unsafe.Offsetof(qh.Resv), 28},
		},
		"io_uring_query_opcode": {
			{"nr_request_opcodes", unsafe.Offsetof(qo.NrRequestOpcodes), 0},
			{"nr_register_opcodes", unsafe.Offsetof(qo.NrRegisterOpcodes), 4},
			{"feature_flags", unsafe.Offsetof(qo.FeatureFlags), 8},
			{"ring_setup_flags", unsafe.Offsetof(qo.RingSetupFlags), 16},
			{"enter_flags", unsafe.Offsetof(qo.EnterFlags), 24}, {"sqe_flags", unsafe.Offsetof(qo.SQEFlags), 32},
			{"nr_query_opcodes", unsafe.Offsetof(qo.NrQueryOpcodes), 40},
		},
		"io_uring_zcrx_rqe": {{"off", unsafe.Offsetof(zr.Off), 0}, {"len", unsafe.Offsetof(zr.Len), 8}},
		"io_uring_zcrx_cqe": {{"off", unsafe.Offsetof(zc.Off), 0}, {"__pad", unsafe.Offsetof(zc.Pad), 8}},
		"io_uring_zcrx_offsets": {
			{"head", unsafe.Offsetof(zo.Head), 0}, {"tail", unsafe.Offsetof(zo.Tail), 4},
			{"rqes", unsafe.Offsetof(zo.Rqes), 8}, {"__resv", unsafe.Offsetof(zo.Resv), 16},
		},
		"io_uring_zcrx_area_reg": {
			{"addr", unsafe.Offsetof(za.Addr), 0}, {"len", unsafe.Offsetof(za.Len), 8},
			{"rq_area_token", unsafe.Offsetof(za.RqAreaToken), 16}, {"flags", unsafe.Offsetof(za.Flags), 24},
			{"dmabuf_fd", unsafe.Offsetof(za.DmabufFd), 28}, {"__resv2", unsafe.Offsetof(za.Resv2), 32},
		},
		"io_uring_zcrx_ifq_reg": {
			{"if_idx", unsafe.Offsetof(zi.IfIdx), 0}, {"if_rxq", unsafe.Offsetof(zi.IfRxq), 4},
			{"rq_entries", unsafe.Offsetof(zi.RqEntries), 8}, {"flags", unsafe.Offsetof(zi.Flags), 12},
			{"area_ptr", unsafe.Offsetof(zi.AreaPtr), 16}, {"region_ptr", unsafe.Offsetof(zi.RegionPtr), 24},
			{"offsets", unsafe.Offsetof(zi.Offsets), 32}, {"zcrx_id", unsafe.Offsetof(zi.ZcrxID), 64},
			{"__resv", unsafe.Offsetof(zi.Resv), 72},
		},
	} {
		for _, c := range checks {
			if c.got != c.want {
				t.Errorf("offsetof(%s, %s): got %d, want %d", name, c.field, c.got, c.want)
			}
		}
	}
}
