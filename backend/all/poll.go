//go:build sluice_poll || !(sluice_uring || sluice_epoll || sluice_poll || sluice_select)

package all

import "github.com/sluiceio/sluice/poll"

func init() { link(poll.Driver{}) }
