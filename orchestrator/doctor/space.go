package doctor

import (
	"context"
	"fmt"
)

// Resources that must have room: the disk and the memory.

const gib = 1 << 30

// spaceFacts describe the file system that holds images and containers.
type spaceFacts struct {
	free, total             uint64 // bytes
	inodesFree, inodesTotal uint64 // 0 of 0: inodes are not counted
	where, driver           string
}

func lookStorage(ctx context.Context, e *examination) verdict {
	f := spaceFacts{where: e.engine.info.RootDir, driver: e.engine.info.StorageDriver}
	h, err := e.helper.get(ctx)
	var told bool
	if e.engine.info.Local && (err != nil || sameKernel(h)) {
		f.free, f.total, f.inodesFree, f.inodesTotal, told = space(f.where)
	}
	if !told && err != nil {
		return noHelper()
	}
	if !told { // a container's own root is on it too
		f.free, f.total, f.inodesFree, f.inodesTotal = h.SpaceFree, h.SpaceTotal, h.InodesFree, h.InodesTotal
		f.where = "the engine's " + f.where
	}
	return judgeStorage(f)
}

// sameKernel reports whether the helper ran on this machine's kernel.
func sameKernel(h helperFacts) bool {
	return h.BootID != "" && h.BootID == firstLine("/proc/sys/kernel/random/boot_id")
}

func judgeStorage(f spaceFacts) verdict {
	const free = "see what takes it: docker system df; remove unused images: docker image prune"
	text := fmt.Sprintf("%s of %s free at %s (%s)", size(f.free), size(f.total), f.where, f.driver)
	switch {
	case f.total == 0:
		return unknown("the size of the file system at %s is not told", f.where)
	case f.free < gib:
		return failed(free, "%s: an image of a project takes up to 1 GiB", text)
	case f.free < 5*gib:
		return warning(free, "%s: room for a few images", text)
	case f.inodesTotal > 0 && f.inodesFree < f.inodesTotal/50:
		return warning(free, "%s, but only %d of %d inodes: files run out first", text, f.inodesFree, f.inodesTotal)
	case f.driver == "vfs":
		return warning(`give the engine another storage driver: {"storage-driver": "overlay2"} in /etc/docker/daemon.json`,
			"%s: vfs copies the whole image for every node", text)
	}
	return ok("%s", text)
}

func size(bytes uint64) string {
	if bytes < gib {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
}

func lookMemory(ctx context.Context, e *examination) verdict {
	h, _ := e.helper.get(ctx) // without it only the engine's total is known
	return judgeMemory(e.engine.info.Memory, h.MemoryFree, e.engine.info.CPUs)
}

// idleNode is the memory of an idle node: measured, 45 to 50 MB.
const idleNode = 50_000_000

// judgeMemory takes bytes; free is 0 if unknown.
func judgeMemory(total, free int64, cpus int) verdict {
	text, fits := size(uint64(total)), total/idleNode
	if free > 0 {
		text, fits = fmt.Sprintf("%s, %s of it free", text, size(uint64(free))), free/idleNode
	}
	text = fmt.Sprintf("%s, %d processors: room for about %d idle nodes of 50 MB", text, cpus, fits)
	switch {
	case total == 0:
		return unknown("the engine does not tell")
	case fits < 1:
		return failed("stop what takes the memory, or give the engine's machine more", "%s", text)
	case fits < 5:
		return warning("stop what takes the memory, or give the engine's machine more; nodes that work take several times that", "%s", text)
	}
	return ok("%s", text)
}
