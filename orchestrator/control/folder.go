package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beamyard/beamyard/orchestrator"
)

// Folder returns the folder for a detached cluster's socket. room is the number of bytes
// that the socket's path leaves for the cluster's name. An error means that no socket can
// be created there. To find out, Folder creates a temporary file, but not the folder
// itself.
func Folder() (folder string, room int, err error) {
	all, err := folders()
	if err != nil {
		return "", 0, err
	}
	folder = all[0]
	existing := folder
	for _, err := os.Stat(existing); os.IsNotExist(err) && existing != filepath.Dir(existing); _, err = os.Stat(existing) {
		existing = filepath.Dir(existing)
	}
	f, err := os.CreateTemp(existing, ".beamyard-*")
	if err != nil {
		var why *os.PathError
		if errors.As(err, &why) {
			err = why.Err // the path of its temporary file means nothing to the user
		}
		return folder, 0, orchestrator.WithHint(fmt.Errorf("no control socket can be made in %s: %w", folder, err), "export XDG_RUNTIME_DIR=/a/folder/of/your/own")
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return folder, 0, fmt.Errorf("write to the folder for control sockets: %w", err)
	}
	return folder, maxPath - len(file(folder, "", ".sock")), nil
}
