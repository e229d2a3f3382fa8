// Package fdselect is the backend on select(2), for every unix; on Linux it is
// pselect6(2), whose time-outs are exact to the nanosecond. The folder is called
// select, which as a keyword cannot be the name of the package.
//
// Three bitmaps, one bit for each file descriptor, are kept between waits and copied for each of
// them. The cost of a wait grows with the highest file descriptor that is
// armed.
//
// Limits: on Linux none of its own, because the kernel takes bitmaps of any
// size; the well-known 1024 is a limit of fd_set in the C library. Elsewhere a
// file descriptor of FD_SETSIZE or more cannot be armed (EINVAL). A hang-up cannot be told
// from readiness: it makes a file descriptor readable, and mostly writable as
// well. One file descriptor that is closed fails the whole call, so that each one has to be probed:
// close through the engine. It cannot park: there is no file descriptor that stands for the whole set.
//
// Choose it to compare with, or on a system whose poll(2) does not work for
// the files in question (terminals on Darwin).
package fdselect
