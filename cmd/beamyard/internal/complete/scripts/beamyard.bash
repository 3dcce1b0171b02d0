# Completion of beamyard for bash, 3.2 or later. In ~/.bashrc:
#
#   eval "$(beamyard completion bash)"

_beamyard() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		if [ "$line" = :files ]; then
			# Bash 3.2 has no compopt: it lists files without the slash of a folder.
			compopt -o default +o nospace 2>/dev/null && return
			while IFS= read -r line; do
				COMPREPLY+=("$line")
			done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
			return
		fi
		COMPREPLY+=("$line")
	done < <("${1/#\~/$HOME}" complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}

complete -o nospace -F _beamyard beamyard
