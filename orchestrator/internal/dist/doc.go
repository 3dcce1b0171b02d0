// Package dist makes the distribution of a cluster speak TLS, if its spec says so: it issues the
// certificates, writes the files of a VM, and dials.
//
//	authority (in the spec) ──► certificate of a VM ──► Files: ca.pem cert.pem key.pem dist.conf
//	     │                                                 -proto_dist inet_tls -ssl_dist_optfile …
//	     └────────────────────► certificate of this process ──► Dialer ──► the VM
//
// Both sides verify each other: a VM accepts no peer, and this process no VM, without a certificate
// of the authority. The authority is made for one cluster, and is secret as the cookie is: it is
// in the label that holds the spec, so that any process that reaches the engine can supervise the
// cluster, and it ends with the cluster. With files of the user's own ([orchestrator.TLS].CA), all
// VMs and this process use that certificate.
//
// Sources: "Using TLS for Erlang Distribution" in the User's Guide of ssl; RFC 5280.
//
// # Threads
//
// None. All functions are safe for concurrent use.
package dist
