#!/bin/sh
# Tests .ci/vulncheck with what govulncheck 1.9.0 prints, and stubs of it and of curl.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

cat >"$work/one" <<'TEXT'
=== Symbol Results ===

Vulnerability #1: GO-2026-9999
    Test finding in kong
  More info: https://pkg.go.dev/vuln/GO-2026-9999
  Module: github.com/alecthomas/kong
    Found in: github.com/alecthomas/kong@v1.17.0
    Fixed in: github.com/alecthomas/kong@v1.99.0
    Example traces found:
      #1: cmd/beamyard/main.go:105:25: beamyard.run calls kong.New

Your code is affected by 1 vulnerability from 1 module.
TEXT
echo 'No vulnerabilities found.' >"$work/none"
echo 'govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: no such host' >"$work/away"
echo 'govulncheck: loading packages: there are errors' >"$work/broken"

# expect NAME CODE TEXT OUTPUT GOVULNCHECK'S_CODE CURL'S_CODE ACCEPTED [FLAG]
expect() {
	printf '#!/bin/sh\ncat %s\nexit %s\n' "$work/$4" "$5" >"$work/govulncheck"
	printf '#!/bin/sh\nexit %s\n' "$6" >"$work/curl"
	chmod +x "$work/govulncheck" "$work/curl"
	echo "$7" >"$work/accepted"
	PATH=$work:$PATH GOVULNDB='' ACCEPTED=$work/accepted .ci/vulncheck "$work/govulncheck" ${8:-} >"$work/out" 2>&1
	code=$?
	if [ "$code" != "$2" ] || ! grep -q -- "$3" "$work/out"; then
		echo "FAIL  vulncheck: $1: exit $code, want $2 and '$3' in:"
		cat "$work/out"
		failed=1
	fi
}
expect "nothing" 0 "0 found" none 0 0 "#"
expect "a finding" 1 "error: GO-2026-9999 is not accepted" one 3 0 "#"
expect "a finding is shown" 1 "beamyard.run calls kong.New" one 3 0 "#"
expect "an accepted one" 0 "1 found, all accepted" one 3 0 "GO-2026-9999 it is not real"
expect "accepted without a reason" 1 "not accepted" one 3 0 "GO-2026-9999"
expect "found no more" 1 "GO-2026-9999 is accepted, and is found no more" none 0 0 "GO-2026-9999 it is not real"
expect "no database" 5 "does not answer" none 0 6 "#"
expect "no database, in lint" 0 "NOT DONE" none 0 6 "#" --if-reachable
expect "no database, as govulncheck tells" 0 "NOT DONE" away 1 0 "#" --if-reachable
expect "it does not load" 1 "loading packages" broken 1 0 "#" --if-reachable

# It is built when the database has answered, and not before: make gets its path.
mkdir "$work/tools"
printf '#!/bin/sh\necho "building $1" && cp %s "$1"\n' "$work/govulncheck" >"$work/make"
chmod +x "$work/make"
# built NAME CURL'S_CODE TEXT BUILDS
built() {
	printf '#!/bin/sh\ncat %s\n' "$work/none" >"$work/govulncheck"
	printf '#!/bin/sh\nexit %s\n' "$2" >"$work/curl"
	PATH=$work:$PATH GOVULNDB='' ACCEPTED=$work/accepted .ci/vulncheck "$work/tools/govulncheck" --if-reachable >"$work/out" 2>&1
	if [ "$?" != 0 ] || [ "$(tail -n 1 "$work/out" | cut -c -"${#3}")" != "$3" ] || [ "$(grep -c building "$work/out")" != "$4" ]; then
		echo "FAIL  vulncheck: $1: want '$3', and $4 builds, in:"
		cat "$work/out"
		failed=1
	fi
}
echo "#" >"$work/accepted"
built "no database: no program" 6 "vulncheck: NOT DONE" 0
built "a database: it is built" 0 "vulncheck: 0 found" 1
built "it is there: it is not built again" 0 "vulncheck: 0 found" 0
exit "$failed"
