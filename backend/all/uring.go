//go:build sluice_uring || !(sluice_uring || sluice_epoll || sluice_poll || sluice_select)

package all

import "github.com/sluiceio/sluice/uring"

func init() { link(uring.Driver{}) }
