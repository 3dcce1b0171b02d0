#!/bin/sh
# Tests a release that .ci/release has built:
#
#   .ci/release_test.sh FOLDER SBOM_TOOL
#
# A second build, in another folder and with an empty build cache, has the same bytes. The program
# for this machine tells its version, commit and date; its archive and package are complete. And
# `go install …@latest` works from a tag. Needs no engine. About ten minutes on two processors: it
# compiles everything for four platforms.
set -eu
cd "$(dirname "$0")/.."
dist=$(realpath "$1")
sbom=$(realpath "$2")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failed=0
# check WHAT COMMAND…: each step of the command must succeed. Not in an if, where -e has no effect.
check() {
	what=$1
	shift
	set +e
	(
		set -e
		"$@"
	) >"$work/log" 2>&1
	code=$?
	set -e
	if [ "$code" = 0 ]; then
		echo "ok    $what"
	else
		echo "FAIL  $what"
		cat "$work/log"
		failed=1
	fi
}

os=$(go env GOHOSTOS) arch=$(go env GOHOSTARCH)
archive=$(echo "$dist"/beamyard_*_"${os}_$arch".tar.gz)
name=$(basename "$archive" .tar.gz)
version=$(echo "$name" | cut -d_ -f2)
commit=$(git rev-parse --short=12 HEAD)
date=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)

# tells PROGRAM VERSION [COMMIT DATE]: what `version --json` says.
tells() {
	"$1" version --json | tee "$work/version.json"
	grep -q "\"version\": \"$2\"" "$work/version.json"
	[ -z "${3:-}" ] || grep -q "\"commit\": \"$3\"" "$work/version.json"
	[ -z "${4:-}" ] || grep -q "\"date\": \"$4\"" "$work/version.json"
}

checksums() {
	cd "$dist"
	sha256sum --check --quiet SHA256SUMS
	[ "$(wc -l <SHA256SUMS)" = 10 ]
}
check "the checksums are those of ten files" checksums

tar -xzf "$archive" -C "$work"
check "the archive's program tells version, commit and date" tells "$work/$name/beamyard" "$version" "$commit" "$date"
listed() {
	tar -tzf "$archive" | grep -v '/$' | sed "s|^$name/||" | LC_ALL=C sort >"$work/listed"
	printf '%s\n' CHANGELOG.md LICENSE README.md beamyard completion/_beamyard completion/beamyard.bash completion/beamyard.fish man/man1/beamyard.1 |
		LC_ALL=C sort | diff - "$work/listed"
}
check "the archive is complete" listed
scripts() {
	for script in bash:beamyard.bash zsh:_beamyard fish:beamyard.fish; do
		"$work/$name/beamyard" completion "${script%:*}" | diff - "$work/$name/completion/${script#*:}"
	done
}
check "the completion is the program's own" scripts
modules() {
	for text in '"bomFormat": "CycloneDX"' 'pkg:golang/github.com/alecthomas/kong@' "\"version\": \"$version\""; do
		grep -q "$text" "$dist/$name.cdx.json"
	done
}
check "the SBOM has the modules" modules
static() { go version -m "$work/$name/beamyard" | grep -q 'CGO_ENABLED=0'; }
check "the program is static" static
if [ "$os" = linux ]; then
	dpkg-deb --extract "$dist/beamyard_${version}_$arch.deb" "$work/deb"
	check "the package's program is the archive's" cmp "$work/deb/usr/bin/beamyard" "$work/$name/beamyard"
	sums() {
		dpkg-deb --control "$dist/beamyard_${version}_$arch.deb" "$work/control"
		cd "$work/deb"
		md5sum --check --quiet "$work/control/md5sums"
	}
	check "the package's checksums are right" sums
fi

# As if the commit were tagged and pushed: git finds GitHub's repository here.
installed() {
	git clone --quiet --no-checkout . "$work/repository"
	git -C "$work/repository" tag v0.999.0 "$(git rev-parse HEAD)"
	# A module cache of its own, so that the tag is in no other one; other modules come from ours.
	go mod download
	GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY) \
		GONOPROXY=github.com/beamyard/beamyard GONOSUMDB=github.com/beamyard/beamyard \
		GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/repository.insteadOf" GIT_CONFIG_VALUE_0=https://github.com/beamyard/beamyard \
		GOMODCACHE="$work/modules" GOBIN="$work/installed" GOFLAGS=-modcacherw \
		go install github.com/beamyard/beamyard/cmd/beamyard@latest
	tells "$work/installed/beamyard" v0.999.0
}
check "go install …@latest from a tag" installed

again() {
	git clone --quiet --no-checkout . "$work/again"
	git -C "$work/again" checkout --quiet --detach "$(git rev-parse HEAD)"
	GOCACHE="$work/cache" "$work/again/.ci/release" "$work/second" "$sbom"
	diff "$dist/SHA256SUMS" "$work/second/SHA256SUMS"
}
check "a second build has the same bytes" again
exit "$failed"
