// Package watch reports when files of a project are saved.
//
//	fsnotify ──► collect ──► debounce ──► fn(paths)
//	  one per folder │         300 ms of     one call at a time; changes
//	  and new folder │         silence, or   during a call are in the next
//	                 │         after 2 s
//	                 └ ignores what the image leaves out and editors' own files
//
// It reports only which files changed. A sync compares all files anyway, so an event that
// the system loses costs nothing but time.
//
// # Threads
//
//   - collect reads fsnotify's channels and owns the list of folders.
//   - debounce runs on the goroutine of the caller of [Watch] and calls fn.
package watch
