# Completion of burrow's commands, flags and VMs for bash: all asked of burrow itself.
_burrow() {
	local command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}

	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "$(burrow help | sed -n 's/^  \([a-z]*\)  *.*/\1/p')" -- "$word"))
	elif [ "$command" = help ]; then
		COMPREPLY=($(compgen -W "$(burrow help | sed -n 's/^  \([a-z]*\)  *.*/\1/p')" -- "$word"))
	elif [ "${word#-}" != "$word" ] && [ "$command" != go ]; then
		COMPREPLY=($(compgen -W "$(burrow help "$command" 2>/dev/null |
			sed -n 's/^  \(-[-a-z0-9]*\)\(, \(-[-a-z0-9]*\)\)*.*/\1 \3/p' | tr ' ' '\n')" -- "$word"))
	else
		case $command in
		stop) COMPREPLY=($(compgen -W "$(burrow ps -q 2>/dev/null)" -- "$word")) ;;
		logs | rm) COMPREPLY=($(compgen -W "$(burrow ps -a -q 2>/dev/null)" -- "$word")) ;;
		go) [ "$COMP_CWORD" -ne 2 ] || COMPREPLY=($(compgen -W "build install run test" -- "$word")) ;;
		esac
	fi
}
complete -o default -F _burrow burrow
