/* A signal whose default is to end the process gives status 128 + its number. */
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 1;
	int number = atoi(argv[2]);
	printf("before\n");
	fflush(stdout);
	switch (argv[1][0]) {
	case 'k': /* kill */
		kill(getpid(), number);
		break;
	case 't': /* tgkill */
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
		break;
	case 'a':
		abort();
	case 'p': { /* write to a pipe that nobody reads */
		int ends[2];
		if (pipe(ends) == 0) {
			close(ends[0]);
			if (write(ends[1], "x", 1) == 1)
				return 3;
		}
		break;
	}
	case 'n': /* NULL */
		*(volatile int *)(long)(argc - 3) = 1;
		break;
	case 'd': { /* divide */
		volatile int zero = argc - 3;
		printf("%d\n", argc * 1000 / zero);
		break;
	}
	case 'u':
		__asm__ volatile("ud2");
		break;
	case 'i': /* ignored by default: the program goes on */
		kill(getpid(), number);
		printf("after\n");
		return 0;
	}
	return 2;
}
