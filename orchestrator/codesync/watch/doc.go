// Package watch tells when files of a project were saved.
//
//	fsnotify ──► collect ──► debounce ──► fn(paths)
//	  a folder each  │         300 ms of     one at a time; what is saved
//	  new ones too   │         silence, or   meanwhile comes with the next
//	                 │         after 2 s
//	                 └ without what the image leaves out and editors' own files
//
// It says which files changed and nothing of what that means: a sync compares all
// of them anyway, so an event that the system lost costs nothing but time.
//
// # Threads
//
//   - collect, which reads fsnotify's channels and owns the list of folders.
//   - debounce, on the caller of [Watch], which calls fn.
package watch
