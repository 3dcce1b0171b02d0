#!/bin/sh
# Tests that everything `go vet` looks for is looked for by golangci-lint's govet, so that `make lint`
# need not do it twice:
#
#   .ci/vet_test.sh GOLANGCI_LINT
set -u
cd "$(dirname "$0")/.." || exit 1
tool=$1

here=$(go tool vet help | sed -n '/^Registered analyzers/,/^By default/s/^    \([a-z]*\) .*/\1/p')
there=$(GL_DEBUG=govet "$tool" linters 2>&1 | sed -n 's/.*\[govet\] Enabled by config analyzers ([0-9]*): \(.*\)"$/\1/p')
failed=0
[ "$(echo "$here" | wc -l)" -gt 20 ] || {
	echo "FAIL  vet: the analyzers of go vet are not known: $here"
	failed=1
}
for analyzer in $here; do
	case ", $there," in
	*", $analyzer,"*) ;;
	# It finds nothing in a module of Go 1.22 or newer, and is left out for that.
	*) [ "$analyzer" = loopclosure ] || {
		echo "FAIL  vet: golangci-lint does not run $analyzer, as go vet does: enable it in .golangci.yml, or run go vet in make lint"
		failed=1
	} ;;
	esac
done
exit "$failed"
