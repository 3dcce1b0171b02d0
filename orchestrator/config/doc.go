// Package config reads a beamyard.yml into an [orchestrator.Spec].
//
//	a folder, an image or a file ──Of──▶ Read ──▶ decode ──▶ document ──▶ orchestrator.Spec
//	                                              (strict)   ▲
//	                                    beamyard.schema.json ┘ the same keys, for editors
//
// Package orchestrator does not depend on YAML: a spec is plain data that Go code writes
// as a struct. The command line and tests both read the file with this package, so a file
// means the same everywhere.
//
// Reading is strict: an unknown key, a wrong type or a second document is an [Error] with
// its line, a caret and, for a misspelt key, a suggestion. [orchestrator.Spec.Validate]
// checks whether the spec is valid as a whole.
//
// # Threads
//
// None. All functions are safe for concurrent use.
package config
