# Completion of beamyard for fish. As ~/.config/fish/completions/beamyard.fish, or in config.fish:
#
#   beamyard completion fish | source

function __beamyard_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)
	set -l answer ($words[1] complete fish -- $words[2..-1] "$word" 2>/dev/null)
	if test "$answer[1]" = :files
		__fish_complete_path "$word"
	else if set -q answer[1]
		printf '%s\n' $answer
	end
end

complete --command beamyard --no-files --arguments '(__beamyard_complete)'
