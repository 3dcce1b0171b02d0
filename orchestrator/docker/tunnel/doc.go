// Package tunnel makes ports of another machine's loopback reachable at the same ports of this
// machine's loopback, through ssh.
//
//	dial 127.0.0.1:4200 ──► listener ──► ssh -W 127.0.0.1:4200 big2 ──► sshd ──► 127.0.0.1:4200 there
//	                                      └─ shares one connection: ssh -M -S
//
// So what is published on another machine's loopback has the same address there and here, for this
// process and for every other one on this machine: a browser, curl, a program that `beamyard run`
// starts. Nothing of it can be reached from a network.
//
// The ssh command does the work, because users have their keys, jump hosts and known hosts in its
// configuration. The accepted socket becomes the standard input and output of an ssh process, so
// that nothing is copied here. These processes share one connection of a master, which runs while
// the tunnel is open. Without a master (Windows has none, a server may refuse it), each process
// makes a connection of its own: slower, and sshd admits only about ten new ones at once.
//
// A port that another process listens on is tried again until it is free. That process is usually
// another Beamyard that forwards the same port: the supervisor of a cluster, or a command.
//
// # Threads
//
// A [Tunnel] is safe for concurrent use. It has one goroutine for each forwarded port, one for each
// connection, and one that waits for the master. All end with Close.
package tunnel
