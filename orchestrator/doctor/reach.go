package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/helper"
)

// Results of the helper container: whether containers start, who can reach them, what they see,
// and what their kernel supports.

// noHelper is the verdict on what only the helper could have shown: lookContainer reports once
// why there is none.
func noHelper() verdict { return unknown("no helper container ran: see container") }

func lookContainer(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	return judgeContainer(h, err)
}

// errRefused reports that the engine started no container at all, not even one without a
// capability or a mount: its runtime is broken, or its disk is full. A container that started
// and printed nothing does not prove that.
var errRefused = errors.New("no helper container can be started")

// refusesContainers reports whether an engine that answers cannot run anything.
func (e *examination) refusesContainers(ctx context.Context) bool {
	_, err := e.helper.get(ctx)
	return errors.Is(err, errRefused)
}

func judgeContainer(h helperFacts, err error) verdict {
	switch {
	case errors.Is(err, errCrashed):
		return notTold(err)
	case errors.Is(err, helper.ErrUnsuitable):
		return unknown("%v", err)
	case errors.Is(err, errLate):
		return warning(fmt.Sprintf("see what keeps the engine busy: docker ps; try again: %s", hint.Doctor.With()), "starting one gave %v: the engine is slow, or hangs", err)
	case err != nil:
		v := failed("see what the engine says: docker run --rm IMAGE true; journalctl -u docker -n 20", "%v", err)
		if h := orchestrator.HintOf(err); len(h) > 0 {
			v.remedy = h.String()
		}
		return v
	}
	return ok("one was started, and answered, within %s", rough(h.took))
}

// words returns the engine's own message in an error of its client.
func words(err error) string {
	text := err.Error()
	if _, said, found := strings.Cut(text, "Error response from daemon: "); found {
		return said
	}
	return text
}

func lookAddresses(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeAddresses(h, e.engine.info.Local, e.engine.info.Host)
}

// judgeAddresses judges how nodes can be dialled: at their own addresses if their bridge is an
// interface of this machine, otherwise at published ports. If our own address is next to the
// helper's (in a container, on the default bridge), that does not help: each cluster has its
// own network.
func judgeAddresses(h helperFacts, local bool, host string) verdict {
	address := h.address.String()
	switch {
	case h.bridgeHere && h.addressErr != nil:
		return failed("see what stands between: ip route get "+h.address.Addr().String()+"; sudo iptables -S; sudo nft list ruleset",
			"the bridge is on this machine, but %s does not answer (%s): a firewall or a VPN is in the way", address, cause(h.addressErr))
	case h.bridgeHere && h.publishedErr != nil:
		return warning("see the engine's rules: sudo iptables -t nat -S DOCKER",
			"reached at its own address (%s), but not by its published port (%s): the URLs of ps will not answer", address, cause(h.publishedErr))
	case h.bridgeHere:
		return ok("reached at its own address (%s) and by its published port (%s)", address, h.published)
	case h.publishedErr == nil:
		return ok("reached by its published port (%s), not at its own address: nodes' distribution ports are published too", h.published)
	case !local:
		return failed("export BEAMYARD_HOST=ADDRESS, where published ports of the engine's machine can be reached",
			"its port published at %s does not answer (%s)", host, cause(h.publishedErr))
	}
	return failed("in a container: start it with --network host\nbeside a virtual machine: export BEAMYARD_HOST=ADDRESS, where its published ports can be reached",
		"the bridge is not on this machine, and its published port does not answer (%s): nodes could not be reached", cause(h.publishedErr))
}

func lookMounts(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeMounts(h)
}

func judgeMounts(h helperFacts) verdict {
	const own = "bring files in by the image; beamyard mounts nothing, so only mounts of your own are concerned"
	switch {
	case h.mountSeen:
		return ok("a file of this machine is seen inside")
	case h.mountFailed != nil:
		return unknown("there was no file to mount: %v", h.mountFailed)
	case h.mountRefused != nil:
		return warning(own, "the engine does not see the files of this machine: %s", words(h.mountRefused))
	}
	return warning(own, "a file of this machine, mounted, is not seen inside: the engine has a file system of its own, or SELinux forbids it")
}

func lookNetAdmin(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeNetAdmin(h.NetAdmin, h.capsRefused)
}

func judgeNetAdmin(has bool, refused error) verdict {
	const without = "let the engine give it (a locked-down host, or an authorization plugin, forbids it); without it partitions and bad links cannot be made"
	switch {
	case refused != nil:
		return warning(without, "refused: %s", words(refused))
	case !has:
		return warning(without, "asked for, but not in effect inside")
	}
	return ok("given to a helper container")
}

func lookFaults(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeFaults(h.NetAdmin, h.Faults, e.engine.info.Kernel)
}

func judgeFaults(netAdmin bool, s fault.Support, kernel string) verdict {
	if !netAdmin {
		return unknown("nothing can be tried without NET_ADMIN")
	}
	var works, missing, remedies []string
	for _, f := range []struct {
		name, gives, module string
		fault.Feature
	}{
		{"nftables", "cut a link or lose packets", "nf_tables", s.Nftables},
		{"netem", "delay packets", "sch_netem", s.Netem},
		{"htb", "limit a link's rate", "sch_htb", s.HTB},
		{"reset", "refuse packets", "nft_reject_inet", s.Reset},
		{"destroy", "reset connections", "tcp_diag", s.Destroy}, // CONFIG_INET_DIAG_DESTROY
		{"notrack", "answer for the DNS server", "nft_ct", s.Notrack},
	} {
		if f.Works {
			works = append(works, f.name)
			continue
		}
		missing = append(missing, fmt.Sprintf("nothing can %s (%s)", f.gives, f.Why))
		remedies = append(remedies, f.module)
	}
	if len(missing) == 0 {
		return ok("the kernel can do all faults: cut, lossy and slow links, reset connections, wrong answers of DNS")
	}
	text := strings.Join(missing, "; ")
	if len(works) > 0 {
		text = strings.Join(works, ", ") + " can be used; " + text
	}
	return warning(fmt.Sprintf("sudo modprobe -a %s, on the engine's machine (its kernel, %s, may be built without)", strings.Join(remedies, " "), kernel), "%s", text)
}
