// Package docker is the Docker Engine API behind the interfaces of package
// orchestrator. It is the only importer of the Docker client, whose types stay
// inside: its successor is a change of this package alone.
//
//	orchestrator.Engine ─► Engine ─► translate.go (pure) ─► github.com/docker/docker/client
//	                          │
//	                          └► errors.go: the engine's texts ─► orchestrator's sentinels, with a hint
//
// A file for each group of endpoints: containers.go, networks.go, images.go,
// streams.go (events and logs), exec.go. client.go finds the engine as the docker command
// does: $DOCKER_HOST, $DOCKER_CONTEXT, `docker context use`; over a unix socket,
// TCP with TLS, or ssh.
//
// The API version is negotiated: from 1.41 (Docker 20.10) on, everything here
// is spoken. Source: the Docker Engine API reference, and for what it leaves
// out, measurements that the comments name.
//
// # Threads
//
// None of its own: every method runs on its caller's goroutine, and may be
// called from several at once. The goroutines of its HTTP connections end with
// the calls and with [Engine.Close].
package docker
