# Completion of burrow's commands, flags and VMs for fish: all asked of burrow itself.
function __burrow_command
	set -l words (commandline -opc)
	test (count $words) -ge 2; and echo $words[2]
end
function __burrow_flags
	burrow help (__burrow_command) 2>/dev/null | string match -rg '^  (-[-a-z0-9]*)(?:, (-[-a-z0-9]*))?' | string match -v ''
end
complete -c burrow -n 'test -z (__burrow_command)' -f -a "(burrow help | string replace -rf '^  ([a-z]+) +(.*)' '\$1\t\$2')"
complete -c burrow -n 'string match -q help (__burrow_command)' -f -a "(burrow help | string replace -rf '^  ([a-z]+) +(.*)' '\$1\t\$2')"
complete -c burrow -n 'not contains -- (__burrow_command) "" go help' -a '(__burrow_flags)'
complete -c burrow -n 'string match -q stop (__burrow_command)' -f -a '(burrow ps -q)'
complete -c burrow -n 'contains -- (__burrow_command) logs rm' -f -a '(burrow ps -a -q)'
complete -c burrow -n 'string match -q go (__burrow_command); and test (count (commandline -opc)) -eq 2' -f -a 'build install run test'
