package enginetest

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// parked returns the program of a node that waits before its command, as the shell of package
// manifest does. open is the container once it does not wait.
func parked(open orchestrator.ContainerSpec, program Program) Program {
	return func(ctx context.Context, p *Process) int {
		if p.hasFile(manifest.ParkedFile) {
			p.WriteFile(manifest.ParkedFile, nil)
			for signal := ""; signal != manifest.OpenSignal; {
				select {
				case signal = <-p.Signals:
				case <-ctx.Done():
					return 137
				}
				if signal == "TERM" {
					return 143
				}
			}
			p.removeFile(manifest.ParkedFile)
		}
		p.Spec = open
		return program(ctx, p)
	}
}

func (p *Process) hasFile(path string) bool {
	c := p.out[0].c
	p.out[0].e.mu.Lock()
	defer p.out[0].e.mu.Unlock()
	files, name := p.out[0].e.place(c, path)
	_, there := files[name]
	return there
}

func (p *Process) removeFile(path string) {
	c := p.out[0].c
	p.out[0].e.mu.Lock()
	defer p.out[0].e.mu.Unlock()
	files, name := p.out[0].e.place(c, path)
	delete(files, name)
}
