// NOPs in batches on liburing: what the loop of "sluice bench nop" would be in C.
//
//	nop [batch [seconds]]
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

int main(int argc, char **argv)
{
	unsigned batch = argc > 1 ? (unsigned)atoi(argv[1]) : 32;
	double seconds = argc > 2 ? atof(argv[2]) : 2;
	if (batch < 1 || batch > 4096 || seconds <= 0)
		fail("usage: nop [batch [seconds]]", EINVAL);

	struct io_uring ring;
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = 4096,
	};
	int err = io_uring_queue_init_params(batch < 512 ? 512 : batch, &ring, &p);
	if (err < 0)
		fail("io_uring_setup", -err);
	io_uring_register_ring_fd(&ring); // without it the loop is slower, and works

	uint64_t done = 0;
	double start = now(), used = cpu(), end = start + seconds, t;
	for (;;) {
		for (unsigned i = 0; i < batch; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
			if (!sqe)
				fail("the queue is full", EBUSY);
			io_uring_prep_nop(sqe);
			io_uring_sqe_set_data64(sqe, i);
		}
		for (unsigned left = batch; left > 0;) {
			int n = io_uring_submit_and_wait(&ring, left);
			if (n < 0 && n != -EINTR)
				fail("io_uring_enter", -n);
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
		done += batch;
		if (done / batch % 64 == 0 && (t = now()) >= end)
			break;
	}
	used = cpu() - used;
	printf("%u %.0f %.1f\n", batch, done / (t - start), used * 1e9 / done);
	io_uring_queue_exit(&ring);
	return 0;
}
