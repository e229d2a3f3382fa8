//go:build !linux

package main

// directFlag is 0 where opening a file has no such flag; bench file refuses --direct there.
const directFlag = 0
