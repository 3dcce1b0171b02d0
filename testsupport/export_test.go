package testsupport

// For tests of package testsupport_test.
var (
	Hinted = hinted
	GoCall = goCall
)
