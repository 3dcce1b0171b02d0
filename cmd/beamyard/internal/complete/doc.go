// Package complete completes command lines in a shell: commands, flags, their values, and the names
// of clusters, nodes, roles and faults.
//
//	TAB ──▶ beamyard.bash ──line, word breaks──▶ beamyard complete bash ─┐
//	        _beamyard (zsh), beamyard.fish ──words──▶ complete zsh|fish ─┤
//	                                                                     ▼
//	                   kong's model, words, clusters ──▶ Complete ──▶ Answer ──▶ Bash, Zsh, Fish
//
// The scripts only carry text: what a word may be is decided here, from the model of the command
// line. A flag or an argument says what it takes with its `enum` tag, or with a tag of its own:
//
//	complete:"cluster"         the name of a cluster
//	complete:"node"            a node: n1, demo/n1, a role, @one
//	complete:"nodes"           nodes in a list: n1,n2
//	complete:"links"           nodes in pairs: n1:n2,n2:n3
//	complete:"fault"           the ID of a fault in force
//	complete:"files"           a file or a folder, which the shell completes itself
//	complete:"auto|trixie"     these words
//
// It is our own because the libraries for kong (kong-completion 0.0.4, kongplete 0.4.0) rest on
// posener/complete 1, without a release since 2019: it splits a line at spaces alone, so that it
// has neither --kind=drop nor n1:n2 nor quotes, and it tells no shell what a candidate means.
//
// # Threads
//
// None. The functions are pure, and safe for concurrent use.
package complete
