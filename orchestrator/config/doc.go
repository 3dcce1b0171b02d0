// Package config reads a beamyard.yml into an [orchestrator.Spec].
//
//	a folder, an image or a file ──Of──▶ Read ──▶ decode ──▶ orchestrator.Spec
//	                                              (strict)      ▼ fields, tags, comments
//	                                   beamyard.schema.json, README.md, for editors and people
//
// A key is a field of [orchestrator.Spec], or of a struct in it: its JSON name is the key,
// its file tag says how a file writes it, and its comment is the key's description. A file's
// own forms, such as 512MiB, become those of the field before they are decoded. The few keys
// that only a file has are declared in keys.go.
//
// A file with a matrix has several specs: [Matrix] returns one for each combination, decoded
// from the file's mapping with the combination's keys in place of its own.
//
// Package orchestrator does not depend on YAML: a spec is plain data that Go code writes
// as a struct. The command line and tests both read the file with this package, so a file
// means the same everywhere.
//
// Reading is strict: an unknown key, a wrong type or a second document is an [Error] with
// its line, a caret and, for a misspelt key, a suggestion. Package validation
// checks whether the spec is valid as a whole.
//
// # Threads
//
// None. All functions are safe for concurrent use.
package config
