// Package kv is a server of keys and values that speaks RESP, the protocol of Redis, on any reactor: strings with or without an expiry, a bound of memory, and
// an append-only file that is written by an engine. It is what `sluice serve kv` runs, and shows what the reactor can do; who needs the data
// structures, replication or scripts of Redis needs Redis. What it has of commands answers as Redis 7.0 does, byte by byte.
//
// New makes a Server, which is a reactor.Handler, and fits the reactor's configuration to it; Server.Close is called when the reactor has ended:
//
//	cfg := reactor.Config{Listen: []string{"tcp://127.0.0.1:6379"}}
//	srv, err := kv.New(kv.Options{AppendOnly: "kv.aof"}, &cfg)
//	...
//	err = errors.Join(reactor.Serve(ctx, cfg, srv), srv.Close())
//
// # Goroutines
//
// A reactor with one loop and no workers calls the handler from one goroutine, and the store has no locks then. Otherwise it has shards, each with a
// lock, and a command holds those of all its keys, so that MSET and MGET are seen as a whole. The append-only file has a goroutine and an engine
// of its own.
//
// # Slow clients
//
// A command may take as long as it likes to come, as with Redis: what has come of it waits, within Options.MaxRequest, and what it announces takes no memory before it is there. A client that has
// stopped, in the middle of a command or not, is ended by Config.IdleTimeout of the reactor, as by Redis's timeout; one that sends a byte now and then is not, so that Config.MaxConns is what
// bounds how many of them there are. Commands of a client that does not read its replies are not performed when more than Config.WriteHigh bytes wait.
//
// # Durability
//
// With FsyncAlways a reply to a command that has changed something is sent when the change is on the disk: all that arrives while one write is
// under way makes the next. Commands that only read do not wait, and may see a change of another connection that is not on the disk yet (Redis makes them wait, too).
// On Linux the file is laid out beforehand for it, with up to 1 MiB of zeros behind the last entry while the server runs, and written in blocks, past the page cache where the file system can; Server.Close cuts the zeros off, and so does the next start behind a kill.
// (Redis takes them for damage: redis-check-aof --fix.) With FsyncEverySec and FsyncNo replies do not wait, and what was not handed to the kernel yet is lost when the process
// is killed, as it is for FsyncEverySec of up to a second when the machine fails. A write that fails (a full disk) stops commands that write with MISCONF, and is tried again
// every second; an fsync of its own that fails stops them for good, since nobody knows what is on the disk. The file is read when the server starts, made durable
// then (but with FsyncNo), and locked against a second server. It must be a regular file.
// It grows for ever: nothing compacts it.
package kv
