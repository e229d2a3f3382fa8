// Package poll is the backend on poll(2), for every unix; on Linux it is
// ppoll(2), whose time-outs are exact to the nanosecond.
//
// The array of file descriptors is kept between waits and only edited: arming
// and disarming are writes to memory, so it does not matter how often
// interest changes. The wait itself hands the whole array to the kernel, which looks
// at every entry: its cost grows with the number of file descriptors that are armed,
// whether they are ready or not.
//
// Limits: not more armed file descriptors than RLIMIT_NOFILE, which cannot
// happen unless the limit is lowered. It cannot park: there is no file descriptor
// that stands for the whole set.
//
// Choose it for some dozens of file descriptors, on a unix that has
// neither io_uring nor epoll, or where a sandbox forbids both. On Darwin poll(2) does
// not work on all devices (terminals); package select does.
package poll
