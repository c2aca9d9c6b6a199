/*
 * Passes signals on; see signals.h.
 *
 * SIGKILL and SIGSTOP cannot be caught; SIGTSTP, SIGTTIN and SIGTTOU stop the VM as
 * they stop any process; SIGPIPE, SIGBUS and SIGCHLD are the monitor's own matter.
 * What the parent made the monitor ignore (nohup, a shell's background jobs), the
 * program must not see either.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "monitor/message.h"
#include "monitor/signals.h"

#define SIGNAL_LAST 64

/* Sandbox, base: read rt_sigaction rt_sigprocmask kill exit_group */

static sigset_t passed;
static pid_t own_pid;

static bool is_own(int number)
{
	switch (number) {
	case SIGKILL:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGPIPE:
	case SIGBUS:
	case SIGCHLD:
	case 32: /* used by the C library */
	case 33:
	case 34:
		return true;
	default:
		return false;
	}
}

void signals_block(void)
{
	struct sigaction action;

	own_pid = getpid();
	sigemptyset(&passed);
	for (int number = 1; number <= SIGNAL_LAST; number++) {
		if (is_own(number))
			continue;
		if (number < 32 && sigaction(number, NULL, &action) == 0 &&
			action.sa_handler == SIG_IGN)
			continue;
		sigaddset(&passed, number);
	}
	sigprocmask(SIG_BLOCK, &passed, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int signals_open(void)
{
	int fd = signalfd(-1, &passed, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "signalfd: %s", strerror(errno));
	return fd;
}

uint64_t signals_read(int fd)
{
	struct signalfd_siginfo info;
	uint64_t signals = 0;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo >= 1 && info.ssi_signo <= SIGNAL_LAST)
			signals |= 1ull << (info.ssi_signo - 1);
	}
	return signals;
}

void signals_restore(void)
{
	signal(SIGPIPE, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, &passed, NULL);
}

void signals_die(unsigned number)
{
	sigset_t set;

	signal((int)number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, (int)number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	kill(own_pid, (int)number);
	_exit(128 + (int)number);
}
