package docker

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/docker/cli/cli/connhelper/ssh"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker/tunnel"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file decides where ports are published, and how they are reached from here.

// PublishVariable is the environment variable with the IP address at which the ports of a remote
// engine are published, in place of the one by which it is reached: 0.0.0.0 for every address of
// its machine.
const PublishVariable = "BEAMYARD_PUBLISH"

// loopback is where the ports of this machine's engine are published, and those that are tunnelled.
const loopback = "127.0.0.1"

// located adds what is known without a request: where the engine is.
func (e *Engine) located(info orchestrator.EngineInfo) orchestrator.EngineInfo {
	info.Local, info.Tunnelled = e.local(), e.tunnel != nil
	info.Host, info.Endpoint = e.publishedHost(), e.endpoint
	info.From, info.Context, info.TLS = e.source.from, e.source.context, e.source.tls
	return info
}

// local reports whether the engine's endpoint is a socket of this machine.
func (e *Engine) local() bool {
	return strings.HasPrefix(e.endpoint, "unix://") || strings.HasPrefix(e.endpoint, "npipe://")
}

// overriding returns the host at which the environment says that published ports are dialled. It
// uses testcontainers' own variable, so that one setting serves both.
func (e *Engine) overriding() string {
	if e.ofHosts {
		return ""
	}
	return cmp.Or(os.Getenv("BEAMYARD_HOST"), os.Getenv("TESTCONTAINERS_HOST_OVERRIDE"))
}

// publishedHost is the host at which published ports can be dialled.
func (e *Engine) publishedHost() string {
	if host := cmp.Or(e.address, e.overriding()); host != "" {
		return host
	}
	u, err := url.Parse(e.endpoint)
	if err != nil || u.Hostname() == "" || e.tunnel != nil || net.ParseIP(u.Hostname()).IsLoopback() {
		return loopback
	}
	return u.Hostname()
}

// publish returns the IP address at which ports are published.
func (e *Engine) publish(ctx context.Context) (string, error) {
	if e.address == "" && (e.local() || e.tunnel != nil) {
		return loopback, nil
	}
	if text := os.Getenv(PublishVariable); text != "" && !e.ofHosts {
		at, err := netip.ParseAddr(text)
		if err != nil {
			return "", orchestrator.WithHint(fmt.Errorf("%s=%s is not an IP address", PublishVariable, text), "export %s=0.0.0.0, or an address of the engine's machine", PublishVariable)
		}
		return at.String(), nil
	}
	host := e.publishedHost()
	if at, err := netip.ParseAddr(host); err == nil {
		return at.String(), nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return "", orchestrator.WithHint(fmt.Errorf("find the address of %s, at which ports are published: %w", host, err), "export %s=ADDRESS, an IP address of the engine's machine", PublishVariable)
	}
	return found[0].Unmap().String(), nil
}

// openTunnel makes the tunnel of an engine that is reached through ssh, unless its ports are
// published at an address that was named. It starts nothing.
func (e *Engine) openTunnel(host string) error {
	if !strings.HasPrefix(e.endpoint, "ssh://") || e.address != "" || e.overriding() != "" {
		return nil
	}
	target, err := ssh.ParseURL(host)
	if err != nil {
		return badAddress(host, err)
	}
	e.tunnel = tunnel.New(target.Args()...)
	return nil
}

// tunnels checks that the engine's machine forwards ports, if a container's are to be tunnelled.
func (e *Engine) tunnels(ctx context.Context, ports []orchestrator.PortBinding) error {
	if e.tunnel == nil || len(ports) == 0 {
		return nil
	}
	if err := e.tunnel.Check(ctx); err != nil {
		return orchestrator.WithHint(fmt.Errorf("reach the ports of containers at %s: %w", e.endpoint, err),
			"permit it on that machine: AllowTcpForwarding yes, in sshd_config\nor give its address, if it is reached from here: address: 10.0.0.7 of the host, %s, or BEAMYARD_HOST=10.0.0.7", hint.Setting("hosts"))
	}
	return nil
}

// forward tunnels what a running container of Beamyard publishes on its machine's loopback.
func (e *Engine) forward(c orchestrator.Container) {
	if e.tunnel == nil || !c.State.Running || !ours(c.Labels) {
		return
	}
	for _, p := range c.Ports {
		if p.HostIP == loopback && p.Host != 0 {
			e.tunnel.Forward(c.ID, p.Host)
		}
	}
}

// ours reports whether Beamyard made what has these labels.
func ours(labels map[string]string) bool {
	for name := range labels {
		if strings.HasPrefix(name, "beamyard.") {
			return true
		}
	}
	return false
}
