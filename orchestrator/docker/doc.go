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
// Every method runs on its caller's goroutine, and may be called from several at
// once. Exec has helpers beside it, one each for new sizes of the terminal
// and for signals, which end before it returns. It and AttachStdin have one that
// reads the caller's input: a Read can last for ever, so that one is left behind
// in it, and ends with the next thing that is read. The goroutines of its HTTP
// connections end with the calls and with [Engine.Close].
package docker
