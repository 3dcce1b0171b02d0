//go:build !unix

package reach

// hardNoFile reports no limit: other systems have none.
func hardNoFile() (int64, bool) { return 0, false }
