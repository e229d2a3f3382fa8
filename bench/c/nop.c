// NOPs in batches on liburing, to compare "sluice bench nop" with.
//
//	nop bare|slots [batch [seconds]]
//
// bare is the least that there can be: entries are filled in, submitted and reaped. slots does what the engine does for
// an operation besides: the program hands over an array of operations, each is checked, copied into a slot that a generation tells from
// its earlier uses, queued and started from there, and found again by its user data; and the program gets an array of completions.
//
// It prints the batch, how many NOPs a second, and the CPU time of each in nanoseconds.

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH_MAX = 4096, OPCODES = 64, KNOWN_FLAGS = (1 << 30) - 1 };

// op and completion are as large as api.Op and api.Completion.
struct op {
	void *buf;
	size_t len, cap;
	void *msg, *args;
	uint64_t tag, id;
	int64_t off, deadline;
	uint64_t target;
	int32_t fd;
	uint32_t arg, flags;
	uint16_t group;
	uint8_t code;
};

struct completion {
	uint64_t tag, id;
	void *buf;
	size_t len, cap;
	uint64_t lease;
	int32_t res;
	uint32_t flags;
	uint8_t code;
};

struct slot {
	struct op op;
	uint32_t index, gen;
	uint8_t state;
};

static struct io_uring ring;
static struct slot slots[BATCH_MAX];
static uint32_t free_slots[BATCH_MAX], n_free;
static uint64_t run[BATCH_MAX];
static unsigned n_run;

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "nop: %s: %s\n", what, strerror(err));
	exit(1);
}

static void enter(unsigned wait)
{
	int n = io_uring_submit_and_wait(&ring, wait);
	if (n < 0 && n != -EINTR)
		fail("io_uring_enter", -n);
}

static void bare(unsigned batch)
{
	for (unsigned i = 0; i < batch; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		if (!sqe)
			fail("the queue is full", EBUSY);
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, i);
	}
	for (unsigned left = batch; left > 0;) {
		enter(left);
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != 0 || cqe->user_data >= batch)
				fail("a wrong completion", EIO);
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		left -= seen;
	}
}

static struct slot *lookup(uint64_t id)
{
	uint32_t i = (uint32_t)id;
	if (i >= BATCH_MAX || slots[i].gen != id >> 32 || !slots[i].state)
		return NULL;
	return &slots[i];
}

// The two are not inlined: the library is another package.
__attribute__((noinline)) static int submit(struct op *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (ops[i].code >= OPCODES || ops[i].flags & ~KNOWN_FLAGS || n_free == 0)
			return -EINVAL;
		struct slot *s = &slots[free_slots[--n_free]];
		s->op = ops[i];
		ops[i].id = s->op.id = (uint64_t)s->gen << 32 | s->index;
		s->state = 1;
		run[n_run++] = s->op.id;
	}
	return n;
}

__attribute__((noinline)) static unsigned complete(struct completion *dst, unsigned n, unsigned min)
{
	for (unsigned i = 0; i < n_run; i++) {
		struct slot *s = lookup(run[i]);
		if (!s)
			continue;
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		if (!sqe)
			fail("the queue is full", EBUSY);
		s->state = 2;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, s->op.id);
	}
	n_run = 0;
	enter(min);
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0, got = 0;
	io_uring_for_each_cqe(&ring, head, cqe) {
		if (got == n)
			break;
		seen++;
		struct slot *s = lookup(cqe->user_data);
		if (!s)
			continue;
		dst[got++] = (struct completion){ .tag = s->op.tag, .id = s->op.id, .res = cqe->res, .code = s->op.code };
		s->op.buf = s->op.msg = s->op.args = NULL;
		s->state = 0;
		s->gen++;
		free_slots[n_free++] = s->index;
	}
	io_uring_cq_advance(&ring, seen);
	return got;
}

static void with_slots(unsigned batch)
{
	static struct op ops[BATCH_MAX];
	static struct completion done[BATCH_MAX];
	for (unsigned i = 0; i < batch; i++)
		ops[i] = (struct op){ .fd = -1, .tag = i };
	if (submit(ops, batch) < 0)
		fail("submit", EINVAL);
	for (unsigned left = batch; left > 0;) {
		unsigned n = complete(done, batch, left);
		for (unsigned i = 0; i < n; i++) {
			if (done[i].res != 0 || done[i].tag >= batch)
				fail("a wrong completion", EIO);
		}
		left -= n;
	}
}

int main(int argc, char **argv)
{
	void (*turn)(unsigned) = NULL;
	if (argc > 1 && !strcmp(argv[1], "bare"))
		turn = bare;
	if (argc > 1 && !strcmp(argv[1], "slots"))
		turn = with_slots;
	unsigned batch = argc > 2 ? (unsigned)atoi(argv[2]) : 32;
	double seconds = argc > 3 ? atof(argv[3]) : 2;
	if (!turn || batch < 1 || batch > BATCH_MAX || seconds <= 0)
		fail("usage: nop bare|slots [batch [seconds]]", EINVAL);
	for (uint32_t i = 0; i < BATCH_MAX; i++) {
		slots[i].index = i;
		slots[i].gen = 1;
		free_slots[n_free++] = BATCH_MAX - 1 - i;
	}

	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = BATCH_MAX,
	};
	int err = io_uring_queue_init_params(batch < 512 ? 512 : batch, &ring, &p);
	if (err < 0)
		fail("io_uring_setup", -err);
	io_uring_register_ring_fd(&ring); // without it the loop is slower, and works

	uint64_t done = 0;
	double start = now(), used = cpu(), end = start + seconds, t;
	do {
		for (int i = 0; i < 64; i++)
			turn(batch);
		done += 64 * batch;
		t = now();
	} while (t < end);
	used = cpu() - used;
	printf("%u %.0f %.1f\n", batch, done / (t - start), used * 1e9 / done);
	io_uring_queue_exit(&ring);
	return 0;
}
