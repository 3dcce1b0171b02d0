// Package keeper tells which process keeps a cluster, whether that process is alive, and ends it.
//
//	Self() ──► orchestrator.Owner (a label of the cluster) ──► Alive(owner), End(owner)
//
// A pid alone could meanwhile belong to another process, so an owner also holds the start time of
// the process, and the machine with its boot and pid namespace. Sources: proc_pid_stat(5),
// proc_sys_kernel(5).
//
// # Threads
//
// None.
package keeper
