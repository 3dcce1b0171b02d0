// Package config makes a beamyard.yml an [orchestrator.Spec].
//
//	a folder, an image or a file ──Of──▶ Read ──▶ decode ──▶ document ──▶ orchestrator.Spec
//	                                              (strict)   ▲
//	                                    beamyard.schema.json ┘ the same keys, for editors
//
// Package orchestrator knows no YAML: a spec is plain data, that Go code writes as a
// struct. Whatever starts clusters of what people wrote, the command line or a
// test, reads it here, so that one file means one thing everywhere.
//
// Reading is strict: an unknown key, a wrong type or a second document is an
// [Error] with its line, a caret and, where a key was misspelt, the one that was
// meant. Whether the spec makes sense is for [orchestrator.Spec.Validate] to say.
//
// # Threads
//
// None. Everything may be called from several goroutines at once.
package config
