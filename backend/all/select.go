//go:build sluice_select || !(sluice_uring || sluice_epoll || sluice_poll || sluice_select)

package all

import fdselect "github.com/sluiceio/sluice/select"

func init() { link(fdselect.Driver{}) }
