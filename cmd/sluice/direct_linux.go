package main

import "syscall"

// directFlag makes an open file one that goes around the page cache.
const directFlag = syscall.O_DIRECT
