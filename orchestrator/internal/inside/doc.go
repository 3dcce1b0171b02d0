// Package inside looks into containers and images of nodes, for a diagnosis: what listens and runs,
// the entrypoint of an image, and the settings in the files of a release.
//
//	container, image ──► Inspector ──► diagnosis.Live, releasefile.Setting
//
// # Threads
//
// None. An Inspector is safe for concurrent use.
package inside
