#!/bin/sh
# Tests .ci/prepare in a world of stubs: nothing is installed or started. Each
# stub appends what it was asked to $world/calls; "the engine answers" is a file.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=0

# world makes a machine: Linux, root, Debian, Go, a compiler, and no engine.
world() {
	world=$(mktemp -d)
	mkdir "$world/bin"
	for tool in sh awk cat dirname grep head sed sort tail tr; do
		ln -s "$(command -v "$tool")" "$world/bin/$tool"
	done
	touch "$world/calls"
	echo 'ID=debian' >"$world/os-release"
	stub id 'echo 0'
	stub uname 'echo Linux'
	stub sleep ''
	stub gcc ''
	stub curl '[ -e "$world/answers" ]'
	stub go 'case $2 in GOVERSION) echo go1.99.1 ;; CGO_ENABLED) echo 1 ;; CC) echo gcc ;; esac'
	stub setsid 'exec "$@"'
	stub apt-get 'log apt-get "$@"
		case "$*" in
		*" install "*docker.io*) cp_stub docker; cp_stub dockerd ;;
		*" install "*mmdebstrap*) cp_stub mmdebstrap ;;
		*" install "*gcc*) cp_stub gcc ;;
		*" install "*chromium*) cp_stub chromium ;;
		esac'
	later docker '[ -e "$world/answers" ] && [ "$1" != image ] || { echo "Cannot connect" >&2; exit 1; }'
	later dockerd 'log dockerd "$@"; : >"$world/answers"'
	later mmdebstrap ''
	later gcc ''
	later chromium ''
}

# stub NAME BODY puts a command into the world; later keeps it for apt-get.
stub() { write "$world/bin/$1" "$2"; }
later() { write "$world/$1.stub" "$2"; }
write() {
	cat >"$1" <<-STUB
		#!/bin/sh
		world=$world
		log() { echo "\$*" >>"\$world/calls"; }
		cp_stub() { cat "\$world/\$1.stub" >"\$world/bin/\$1"; $(command -v chmod) +x "\$world/bin/\$1"; }
		$2
	STUB
	chmod +x "$1"
}
installed() { for tool in "$@"; do cat "$world/$tool.stub" >"$world/bin/$tool" && chmod +x "$world/bin/$tool"; done; }

# run ARG… leaves its exit code in $code, its words in $world/out.
run() {
	PATH=$world/bin OS_RELEASE=$world/os-release TMPDIR=$world DOCKER_HOST=${host:-} CGO_ENABLED='' \
		sh .ci/prepare "$@" >"$world/out" 2>&1 </dev/null
	code=$?
}

# expect NAME CODE TEXT CALL… : the exit code, a line that was said ("" for
# silence), and the calls in their order.
expect() {
	name=$1 want=$2 text=$3
	shift 3
	calls=$(cat "$world/calls")
	wanted=$(printf '%s\n' "$@")
	if [ "$code" != "$want" ] || [ "$calls" != "$wanted" ] ||
		{ [ -n "$text" ] && ! grep -qF -- "$text" "$world/out"; } ||
		{ [ -z "$text" ] && [ -s "$world/out" ]; }; then
		{
			echo "FAIL: $name: exit code $code, want $want"
			echo "said:   $(cat "$world/out")"
			echo "want:   $text"
			echo "called: $calls"
			echo "want:   $wanted"
		} >&2
		failed=1
	fi
	rm -rf "$world"
	host=
}

apt='apt-get -o DPkg::Lock::Timeout=300'
install="$apt install -y --no-install-recommends"

world; installed docker mmdebstrap; touch "$world/answers"
run go race engine
expect "a ready machine hears nothing" 0 ""

world
run engine
expect "an empty Debian gets an engine" 0 "prepare: the container engine answers" \
	"$apt update" "$install docker.io iptables cgroupfs-mount ca-certificates" "dockerd" \
	"$apt update" "$install mmdebstrap debian-archive-keyring"

world; installed docker dockerd mmdebstrap; later dockerd 'log dockerd "$@"'; installed dockerd
run engine
expect "a daemon that will not start is an error that says so" 5 "error: the container engine does not start" \
	"dockerd" "dockerd --storage-driver=vfs" "dockerd --storage-driver=vfs --iptables=false --ip6tables=false"

world; installed docker mmdebstrap
later dockerd 'log dockerd "$@"; [ $# = 0 ] || : >"$world/answers"'; installed dockerd
run engine
expect "a nested engine falls back on vfs" 0 "once more without overlay" "dockerd" "dockerd --storage-driver=vfs"

world; installed docker dockerd mmdebstrap; stub service 'log service "$@"; : >"$world/answers"'
run engine
expect "a service is started as a service" 0 "starting: service docker start" "service docker start"

world; installed docker; touch "$world/answers"; stub apt-get 'log apt-get "$@"; [ "$3" = update ]'
run engine
expect "without mmdebstrap a registry may do" 0 "has to come from a registry" \
	"$apt update" "$install mmdebstrap debian-archive-keyring"

world; installed docker; touch "$world/answers"; stub id 'echo 1000'
run engine
expect "nobody but root is troubled for mmdebstrap" 0 ""

world; stub id 'echo 1000'
run engine
expect "no root: the command to type" 5 \
	'hint: sudo apt-get update && sudo apt-get install -y docker.io mmdebstrap && sudo usermod -aG docker "$USER"'

world; stub id 'echo 1000'; installed dockerd
run engine
expect "no root, a sleeping daemon: the command to type" 5 "hint: sudo service docker start"

world; stub id 'echo 1000'; stub docker 'echo "permission denied while trying to connect" >&2; exit 1'
run engine
expect "no permission: the command to type" 5 'hint: sudo usermod -aG docker "$USER"'

world; echo 'ID=fedora' >"$world/os-release"
run engine
expect "another system: where to get an engine" 5 "hint: install one: https://docs.docker.com/engine/install/"

world; stub uname 'echo Darwin'; rm "$world/os-release" "$world/bin/apt-get"
run engine
expect "a Mac: Docker Desktop" 5 "hint: start Docker Desktop: open -a Docker"

world; installed docker; host=tcp://elsewhere:2375
run engine
expect "a chosen engine is never replaced" 5 "error: no container engine answers at DOCKER_HOST=tcp://elsewhere:2375"

world; stub apt-get 'log apt-get "$@"; echo "E: no network"; exit 100'
run engine
expect "a failed installation shows why" 5 "E: no network" \
	"$apt update" "$install docker.io iptables cgroupfs-mount ca-certificates"

world; rm "$world/bin/go"
run go
expect "no Go" 5 "error: Go is not installed"

world; stub go 'echo go1.9.7'
run go
expect "an old Go" 5 "or newer is needed, this is go1.9.7"

world; rm "$world/bin/gcc"
run race
expect "a missing compiler is installed" 0 "installing gcc libc6-dev" "$apt update" "$install gcc libc6-dev"

world; rm "$world/bin/gcc"; stub id 'echo 1000'
run race
expect "no root, no compiler: the command to type" 5 "hint: sudo apt-get install -y gcc libc6-dev"

world; installed chromium
run browser
expect "a browser is enough" 0 ""

world; stub google-chrome ''
run browser
expect "Chrome is a Chromium" 0 ""

world
run browser
expect "a missing browser is installed" 0 "installing chromium" "$apt update" "$install chromium"

world; stub id 'echo 1000'
run browser
expect "no root, no browser: the command to type" 5 "hint: sudo apt-get install -y chromium"

world; echo 'ID=fedora' >"$world/os-release"
run browser
expect "another system: which browser" 5 "hint: install Chromium or Google Chrome"

world
run engines
expect "a wrong word" 2 "usage: .ci/prepare"

exit "$failed"
