package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeValue is a number of bytes as the command line gives it: 4096, 4k, 1g.
type sizeValue int64

// Set parses a size. k, m, g and t are powers of 1024.
func (s *sizeValue) Set(text string) error {
	digits, shift := strings.ToLower(text), 0
	if digits != "" {
		if i := strings.IndexByte("kmgt", digits[len(digits)-1]); i >= 0 {
			digits, shift = digits[:len(digits)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return errors.New("want a number of bytes such as 4096, 4k, 64m or 1g")
	}
	if err != nil || n > math.MaxInt64>>shift {
		return fmt.Errorf("%s is out of range", text)
	}
	*s = sizeValue(n << shift)
	return nil
}

// String is the size in the largest unit that it is a whole number of.
func (s *sizeValue) String() string {
	n, unit := int64(*s), 0
	for n != 0 && n%1024 == 0 && unit < 4 {
		n /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10) + "kmgt"[unit-1:unit]
}

// Type is what the help calls it.
func (s *sizeValue) Type() string { return "size" }
