# A remote shell in a node's container: $1 the node, $2 "name" or "sname", $3 the
# shell's own name, $4 flags of its VM.
#
# OTP 23 can give a VM its name when it connects (-name undefined), but Elixir 1.14
# does not wait for that: "Could not contact remote node". So it gets one that is
# nobody else's. Completion and history work as they are, on OTP 25 (Elixir 1.14)
# and OTP 27 (1.18): the line is edited here, the node is asked what fits.
node=$1 names=$2 me=$3
# Beside many others on one machine; of its processors it needs but one.
flags="$4 +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none +Q 1024 -kernel shell_history enabled"

# The history stays as long as the container, also for a user without a home.
export XDG_CACHE_HOME="/tmp/beamyard-shell-$(id -u)"

# OTP 26 and later fall back to a dumb line where the terminal's kind is not known.
known=
for dir in /etc/terminfo /lib/terminfo /usr/share/terminfo; do
  [ -e "$dir/${TERM%"${TERM#?}"}/$TERM" ] && known=yes
done
[ -z "$known" ] && export TERM=xterm

# A release tells its place to the VM that it starts. Its own bin/NAME remote would
# give the cookie among the arguments of the shell that runs it, too.
of() { tr '\0' '\n' < "$1" 2> /dev/null | sed -n "s/^$2=//p"; }
for file in /proc/[0-9]*/environ; do
  root=$(of "$file" RELEASE_ROOT) vsn=$(of "$file" RELEASE_VSN)
  iex="$root/releases/$vsn/iex"
  if [ -n "$root" ] && [ -x "$iex" ]; then
    export RELEASE_ROOT="$root"
    exec "$iex" --erl "$flags" --boot "$root/releases/$vsn/start_clean" --boot-var RELEASE_LIB "$root/lib" \
      "--$names" "$me" --remsh "$node"
  fi
done
if command -v iex > /dev/null; then
  exec iex --erl "$flags" "--$names" "$me" --remsh "$node"
fi
if command -v erl > /dev/null; then
  exec erl $flags "-$names" "$me" -remsh "$node"
fi
echo "there is no shell in this container: neither a release nor iex nor erl" >&2
exit 127
