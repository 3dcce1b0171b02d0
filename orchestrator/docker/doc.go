// Package docker implements the interfaces of package orchestrator with the Docker Engine
// API. It is the only package that imports the Docker client, and exports none of its
// types. Replacing the client changes only this package.
//
//	orchestrator.Engine ─► Engine ─► translate.go (pure) ─► github.com/docker/docker/client
//	                          │
//	                          └► errors.go: the engine's texts ─► orchestrator's sentinels, with a hint
//
// Each group of endpoints has a file: containers.go, networks.go, images.go, streams.go
// (events and logs), exec.go. client.go finds the engine as the docker command does, by
// $DOCKER_HOST, $DOCKER_CONTEXT and `docker context use`, and connects over a unix
// socket, TCP with TLS, or ssh. reach.go decides where ports are published, and how they are
// reached: those of an engine behind ssh through package tunnel.
//
// The API version is negotiated; version 1.41 (Docker 20.10) and later have everything
// that this package uses. Source: the Docker Engine API reference. Where the reference is
// silent, comments cite measurements.
//
// # Threads
//
// Every method runs on its caller's goroutine, and methods are safe for concurrent use.
// Exec has one helper goroutine for terminal resizes and one for signals, which end
// before it returns. Exec and AttachStdin have one goroutine that reads the caller's
// input. A Read may block forever, so this goroutine can outlive the call; it ends when
// its Read returns. The goroutines of the HTTP connections end with the calls and with
// [Engine.Close], and so do those of the tunnel of an engine behind ssh.
package docker
