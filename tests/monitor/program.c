/*
 * A static executable for the monitor to check and map; the test guest does not run it.
 */
void _start(void);

void _start(void)
{
	for (;;)
		;
}
