package http1_test

import (
	"log/slog"
)

// quiet is for what is logged on purpose.
var quiet = slog.New(slog.DiscardHandler)
