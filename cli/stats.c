/* `burrow stats`: what VMs use, as a live table, JSON, or metrics for Prometheus. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/machine_text.h"
#include "cli/metrics.h"
#include "cli/sample.h"
#include "host/json.h"
#include "host/report.h"

#define EVERY_MS 1000

const char stats_help[] =
	"usage: burrow stats [--once] [--json[=FD]] [--listen [ADDRESS:]PORT]\n"
	"\n"
	"Shows what each VM of this user uses: CPU, memory of its own and shared with others,\n"
	"network and disks; anew each second on a terminal, else once.\n"
	"\n"
	"  --once                    once, also on a terminal\n"
	"  --json[=FD]               one JSON object on stdout, or on FD\n"
	"  --listen [ADDRESS:]PORT   serve them to Prometheus at /metrics, by default only to\n"
	"                            this machine (127.0.0.1)\n"
	"  --help, -h                this text\n";

static void print_table(const struct sample_list *before, const struct sample_list *now)
{
	puts("NAME                    CPU %  MEMORY  SHARED   LIMIT  NET IN  NET OUT  READ  "
	     "WRITTEN");
	for (size_t i = 0; i < now->count; i++) {
		const struct sample *sample = &now->items[i];
		const struct machine_counters *counters = &sample->counters;

		printf("%-20s %8.1f %7s %7s %7s %7s %8s %5s %8s\n", sample->name,
			100 * sample_cpu_share(sample_find(before, sample), sample),
			text_of_bytes(sample->private_bytes), text_of_bytes(sample->shared_bytes),
			text_of_bytes(sample->memory_limit_bytes),
			text_of_bytes(counters->net_received_bytes),
			text_of_bytes(counters->net_sent_bytes),
			text_of_bytes(counters->disk_read_bytes),
			text_of_bytes(counters->disk_written_bytes));
	}
}

static void print_json(const struct sample_list *now, int fd)
{
	struct json json;

	json_open(&json, fd);
	json_array_open(&json, "vms");
	for (size_t i = 0; i < now->count; i++) {
		const struct sample *sample = &now->items[i];
		const struct machine_counters *counters = &sample->counters;

		json_element_open(&json);
		json_text(&json, "name", sample->name);
		json_number(&json, "cpu_ns", (int64_t)sample->cpu_ns);
		json_number(&json, "private_bytes", (int64_t)sample->private_bytes);
		json_number(&json, "shared_bytes", (int64_t)sample->shared_bytes);
		json_number(&json, "memory_limit_bytes", (int64_t)sample->memory_limit_bytes);
		json_number(&json, "net_received_bytes", (int64_t)counters->net_received_bytes);
		json_number(&json, "net_sent_bytes", (int64_t)counters->net_sent_bytes);
		json_number(&json, "disk_read_bytes", (int64_t)counters->disk_read_bytes);
		json_number(&json, "disk_written_bytes", (int64_t)counters->disk_written_bytes);
		json_element_close(&json);
	}
	json_array_close(&json);
	json_close(&json);
}

/* Until the terminal is gone or the user has seen enough. */
static void show_live(void)
{
	struct sample_list lists[2] = {{0}, {0}};

	for (unsigned turn = 0; !ferror(stdout); turn ^= 1) {
		sample_all(&lists[turn]);
		fputs("\033[H\033[2J", stdout); /* home, clear */
		print_table(&lists[turn ^ 1], &lists[turn]);
		fflush(stdout);
		poll(NULL, 0, EVERY_MS);
	}
}

int stats_main(int argc, char **argv)
{
	bool once = false;
	const char *json_text = NULL, *listen_text = NULL;
	const struct flag flags[] = {{"--once", FLAG_SWITCH, &once, NULL},
		{"--json", FLAG_OPTIONAL_TEXT, &json_text, "FD"},
		{"--listen", FLAG_TEXT, &listen_text, "[ADDRESS:]PORT"},
		{NULL, FLAG_SWITCH, NULL, NULL}};
	int first = flags_parse(flags, argc, argv, stats_help);
	struct sample_list none = {0}, list = {0};

	if (first != argc)
		report_fail(STATUS_TOOL_FAILED, "%s: this command takes only flags", argv[first]);
	if (listen_text != NULL)
		metrics_serve(listen_text);
	if (json_text != NULL) {
		int fd = flags_json_descriptor(json_text, STDOUT_FILENO);

		report_set_json(fd);
		sample_all(&list);
		print_json(&list, fd);
	} else if (once || !isatty(STDOUT_FILENO)) {
		sample_all(&list);
		print_table(&none, &list);
	} else {
		show_live();
	}
	return report_finish_output();
}
