//go:build sluice_epoll || !(sluice_uring || sluice_epoll || sluice_poll || sluice_select)

package all

import "github.com/sluiceio/sluice/epoll"

func init() { link(epoll.Driver{}) }
