// The least that a server of small requests can do on io_uring, on liburing: what is left when nothing is parsed, kept or looked up.
//
//	floor http|nil PORT
//
// Each receive, whatever is in it, is answered with the same bytes: an HTTP response with a body of 13 bytes, or RESP's "$-1". Connections are
// direct descriptors; receives are multishot, into a ring of provided buffers; sends complete without an entry in the completion queue; one
// system call submits and waits. It ends by a signal.

#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 512, BUFFER_SIZE = 2048, FILES = 4096, ACCEPT = 1 << 30, SEND = 1 << 29 };

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[BUFFERS][BUFFER_SIZE];

static const char http[] = "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!";
static const char nil[] = "$-1\r\n";

static void fail(const char *what, int err)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(err));
	exit(1);
}

static void need(const char *what, int res)
{
	if (res < 0)
		fail(what, -res);
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (!sqe) {
		need("io_uring_submit", io_uring_submit(&ring));
		sqe = io_uring_get_sqe(&ring);
	}
	if (!sqe)
		fail("the queue is full", EBUSY);
	return sqe;
}

static void receive(unsigned file)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_recv_multishot(sqe, (int)file, NULL, 0, 0);
	sqe->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	io_uring_sqe_set_data64(sqe, file);
}

static void answer(unsigned file, const char *text, size_t size)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_send(sqe, (int)file, text, size, MSG_NOSIGNAL);
	sqe->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, SEND | file);
}

static void drop(unsigned file)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_close_direct(sqe, file);
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, SEND | file);
}

// received answers, gives the buffer back, and says whether it did.
static int received(struct io_uring_cqe *cqe, unsigned given, const char *text, size_t size)
{
	unsigned file = (unsigned)cqe->user_data;
	if (cqe->res == -ENOBUFS) {
		receive(file);
		return 0;
	}
	if (cqe->res <= 0) {
		drop(file);
		return 0;
	}
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	io_uring_buf_ring_add(buffers, memory[id], BUFFER_SIZE, (unsigned short)id, BUFFERS - 1, (int)given);
	answer(file, text, size);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		receive(file);
	return 1;
}

static void serve(const char *text, size_t size)
{
	for (;;) {
		int n = io_uring_submit_and_wait(&ring, 1);
		if (n < 0 && n != -EINTR)
			fail("io_uring_enter", -n);
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0, given = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			seen++;
			if (cqe->user_data == ACCEPT) {
				need("accept", cqe->res);
				receive((unsigned)cqe->res);
			} else if (!(cqe->user_data & SEND)) {
				given += (unsigned)received(cqe, given, text, size);
			}
		}
		io_uring_buf_ring_advance(buffers, (int)given);
		io_uring_cq_advance(&ring, seen);
	}
}

static int listening(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1024))
		fail("listen", errno);
	return fd;
}

int main(int argc, char **argv)
{
	int port = argc == 3 ? atoi(argv[2]) : 0;
	int web = argc == 3 && !strcmp(argv[1], "http");
	if (port < 1 || port > 65535 || (!web && strcmp(argv[1], "nil")))
		fail("usage: floor http|nil PORT", EINVAL);
	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, .cq_entries = 4096 };
	need("io_uring_setup", io_uring_queue_init_params(1024, &ring, &p));
	need("register the ring", io_uring_register_ring_fd(&ring));
	need("register files", io_uring_register_files_sparse(&ring, FILES));
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS };
	if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)))
		fail("memory", ENOMEM);
	reg.ring_addr = (uintptr_t)buffers;
	need("register buffers", io_uring_register_buf_ring(&ring, &reg, 0));
	io_uring_buf_ring_init(buffers);
	for (int i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(buffers, memory[i], BUFFER_SIZE, (unsigned short)i, BUFFERS - 1, i);
	io_uring_buf_ring_advance(buffers, BUFFERS);
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_multishot_accept_direct(sqe, listening(port), NULL, NULL, 0);
	io_uring_sqe_set_data64(sqe, ACCEPT);
	if (web)
		serve(http, sizeof http - 1);
	serve(nil, sizeof nil - 1);
}
