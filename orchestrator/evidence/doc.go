// Package evidence keeps what tells why a cluster failed, or how it is: one
// folder, or one .tar.gz, that can be read without the cluster.
//
//	supervisor ── status, events, journal, output ─┐
//	engine ────── containers, dumps, events ───────┼─► Collect ─► Bundle ─► folder
//	labels ────── the spec, where nobody supervises ┘               │        or .tar.gz
//	cause ──────── the error                              README, timeline.txt, …
//
// What cannot be collected is named in the bundle's README.txt with its reason,
// and stops nothing else: the evidence is wanted most where something is broken.
//
// # Secrets
//
// Every text passes a mask made of the specs' secrets: see
// [orchestrator.Spec.SecretValues]. A crash dump shows the VM's memory; while it
// is copied, the secrets are overwritten where they stand as text, in hexadecimal
// or in base64, each with as many other characters, so that the tools that read
// dumps find everything where it was. Files have mode 0600, folders 0700.
//
// # Threads
//
// [Collect] looks at up to four nodes at once, each in a goroutine of its own,
// and returns after all of them.
package evidence
