package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/beamyard/beamyard/orchestrator"
)

// Folder is where a detached cluster's socket will lie. room is how many bytes
// its path leaves for the cluster's name. An error says that no socket can be
// made there. A file is made for a moment to find out, but not the folder.
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
			err = why.Err // its path is one that nobody knows
		}
		return folder, 0, orchestrator.WithHint(fmt.Errorf("no control socket can be made in %s: %w", folder, err), "export XDG_RUNTIME_DIR=/a/folder/of/your/own")
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return folder, 0, fmt.Errorf("write to the folder for control sockets: %w", err)
	}
	return folder, maxPath - len(file(folder, "", ".sock")), nil
}
