// Package evidence records why a cluster failed, or what state it is in, as a folder or a
// .tar.gz file that can be read without the cluster.
//
//	supervisor ── status, events, journal, output ─┐
//	engine ────── containers, dumps, events ───────┼─► Collect ─► Bundle ─► folder
//	labels ────── the spec, without a supervisor ───┘               │        or .tar.gz
//	cause ──────── the error                              README, timeline.txt, …
//
// If an item cannot be collected, the bundle's README.txt gives the reason, and the
// collection continues: evidence is needed most when something is broken.
//
// # Secrets
//
// Every text passes through a mask made of the specs' secrets: see
// [secrets.Values]. A crash dump contains the VM's memory. While a dump
// is copied, each secret in it is overwritten with the same number of characters, as
// text, in hexadecimal and in base64. Offsets do not change, so tools that read dumps
// still work. Files have mode 0600, folders 0700.
//
// # Threads
//
// [Collect] examines up to four nodes at once, each in its own goroutine, and returns
// after all of them have ended.
package evidence
